-- runlog.lua: a run's log.jsonl: a line of JSON for each epoch of each training and for each step that a recipe reports
-- (search/step.lua), appended whole or not at all. The names are
-- those of the run's document, times included (which is why it is no part of a checkpoint). A resumed training first
-- rewinds it: lines of epochs that its checkpoint does not know are dropped, lines that are missing are written.

local file = require "exeunt.file"
local json = require "exeunt.report.json"

local RunLog = {}
RunLog.__index = RunLog

local order = { "train", "epoch", "step", "loss", "val_loss", "lr", "exits", "vote", "name" }

local function text_of(name, line, time)
  local out = { train = name }
  for k, v in pairs(line) do out[k] = v end
  for k, v in pairs(time or {}) do out[k] = v end
  return json.encode(out, order, "log") .. "\n"
end

-- open(path): the log at path, which need not be there yet. Lines that are no JSON (of a foreign file) are dropped.
local function open(path)
  local self = setmetatable({ path = path, lines = {} }, RunLog)
  if file.kind(path) == "file" then
    for text in file.read(path):gmatch "[^\n]+" do
      local ok, line = pcall(json.decode, text)
      if ok and type(line) == "table" then self.lines[#self.lines + 1] = { text = text .. "\n", line = line } end
    end
  end
  return self
end

-- epoch(name, line, seconds, images, pass_seconds): one more line.
function RunLog:epoch(name, line, seconds, images, pass_seconds)
  local text = text_of(name, line, { seconds = seconds, images = images, pass_seconds = pass_seconds })
  file.append(self.path, text)
  self.lines[#self.lines + 1] = { text = text, line = json.decode(text) }
end

function RunLog:rewrite(kept)
  self.lines = kept
  local texts = {}
  for i, entry in ipairs(kept) do texts[i] = entry.text end
  file.write(self.path, table.concat(texts))
end

-- step(line): the line of a step that a recipe reports; it takes the place of an earlier one of that step.
function RunLog:step(line)
  local new = { text = json.encode(line, order, "log") .. "\n", line = line }
  for i, entry in ipairs(self.lines) do
    if entry.line.train == nil and entry.line.step == line.step then
      if entry.text == new.text then return end
      self.lines[i] = new
      return self:rewrite(self.lines)
    end
  end
  file.append(self.path, new.text)
  self.lines[#self.lines + 1] = new
end

-- rewind(name, history): the lines of training `name` become those of history. Rewrites the file only where they differ.
function RunLog:rewind(name, history)
  local kept, known, changed = {}, {}, false
  for _, entry in ipairs(self.lines) do
    local mine = entry.line.train == name
    if mine and (not history[entry.line.epoch] or known[entry.line.epoch]) then
      changed = true
    else
      if mine then known[entry.line.epoch] = true end
      kept[#kept + 1] = entry
    end
  end
  for epoch, line in ipairs(history) do
    if not known[epoch] then
      local text = text_of(name, line)
      kept[#kept + 1] = { text = text, line = json.decode(text) }
      changed = true
    end
  end
  if changed then self:rewrite(kept) end
end

-- time(name): seconds of all logged epochs of that training, and images trained in a second; nil where nothing was timed.
function RunLog:time(name)
  local seconds, images, passes = 0, 0, 0
  for _, entry in ipairs(self.lines) do
    local line = json.plain(entry.line)
    if line.train == name and line.seconds then
      seconds, images, passes = seconds + line.seconds, images + (line.images or 0), passes + (line.pass_seconds or 0)
    end
  end
  if seconds == 0 then return {} end
  return { seconds = seconds, images_per_s = passes > 0 and images / passes or nil }
end

return open
