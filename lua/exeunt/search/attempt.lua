-- attempt.lua: one trial's run: an `exeunt run` of its own, from its folder to what came of it. It follows the run's log, asks at
-- each step whether to go on, ends it (SIGTERM, so that it keeps a checkpoint; SIGKILL where it does not end in time) and reads its
-- values. Whatever the recipe does costs this trial only. It knows no store: worker.lua keeps what it gives.
--
-- A trial's folder is FOLDER; a run that is there with the same recipe, knobs and seed is gone on with, and beside a foreign one
-- or one that another process is just at, it is called FOLDER-2, ... What the run says on standard error is in FOLDER.err.

local child = require "exeunt.child"
local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local knobs = require "exeunt.knobs"
local metric = require "exeunt.search.metric"
local options = require "exeunt.options"
local signals = require "exeunt.signals"
local system = require "exeunt.system"

local attempt = {}

local LOOK = 0.1                            -- seconds between two looks at a run's log

-- -- The folder -----------------------------------------------------------------------------------------------------

local function document(folder)
  if file.kind(folder .. "/run.json") ~= "file" then return nil end
  local ok, doc = pcall(function() return json.decode(file.read(folder .. "/run.json")) end)
  return ok and type(doc) == "table" and doc or nil
end

-- Whether a run's document says this recipe and these knobs.
local function same_run(doc, digest, settings)
  if doc.recipe_sha256 ~= digest or type(doc.knobs) ~= "table" then return false end
  for name, value in pairs(settings) do
    if not knobs.same(doc.knobs[name], value) then return false end
  end
  return true
end

-- Takes away what a run leaves that was killed before it had a document; true where nothing else lies there.
local function cleared(folder)
  for _, name in ipairs(file.list(folder)) do
    if name == "lock" or name == "recipe.lua" or name:match "^%..+%.tmp$" then file.remove(folder .. "/" .. name) end
  end
  return #file.list(folder) == 0
end

-- A lock on a folder that may not be there yet; nil: another process has it; false: there are no locks where it lies.
local function lock_of(folder)
  local ok, lock = pcall(file.lock_beside, folder)
  if ok then return lock end
  if tostring(lock):find("is locked", 1, true) then return nil end
  return false
end

-- Whether a folder can be used, and then whether to go on in it.
local function usable(name, digest, settings)
  if not file.kind(name) then return true, false end
  local doc = document(name)
  if doc then return same_run(doc, digest, settings), true end
  return file.kind(name) == "folder" and not file.kind(name .. "/run.json") and cleared(name), false
end

-- place(folder, digest, settings): the folder to use, whether to go on in it, and its lock: two stores where one is the other's copy
-- have the same trials and the same folders, as have two workers where the one was only thought dead.
local function place(folder, digest, settings)
  local name, n = folder, 1
  while true do
    local lock = lock_of(name)
    if lock ~= nil then
      local ok, yes, resume = pcall(usable, name, digest, settings)
      if ok and yes then return name, resume, lock end
      if lock then lock:free() end
      if not ok then error(yes, 0) end
    end
    n = n + 1
    name = ("%s-%d"):format(folder, n)
  end
end

-- -- What a run is told ---------------------------------------------------------------------------------------------------

-- A knob's value as the command line takes it, every digit kept.
local function written(value)
  if type(value) == "number" then return json.number(value) end
  if type(value) ~= "table" then return tostring(value) end
  local items = {}
  for i, x in ipairs(value) do items[i] = written(x) end
  return table.concat(items, ",")
end

local function settings_of(study, params)
  local settings = { seed = study.seed }
  for name, value in pairs(study.fixed) do settings[name] = value end
  for name, value in pairs(params) do settings[name] = value end
  return settings
end

attempt.written, attempt.settings_of = written, settings_of

local function command_of(o, settings, folder, resume)
  local argv = { system.program, "run", o.study.recipe }
  for name, value in pairs(settings) do
    if name ~= "seed" then argv[#argv + 1] = name .. "=" .. written(value) end
  end
  for _, text in ipairs { "--seed", written(settings.seed), "--out", folder, "--json" } do argv[#argv + 1] = text end
  if resume then argv[#argv + 1] = "--resume" end
  if o.threads then argv[#argv + 1], argv[#argv + 2] = "--threads", tostring(o.threads) end
  return argv
end

-- -- What a run says -------------------------------------------------------------------------------------------------------

-- Whether some bytes from 128 on are one character of UTF-8, as the Unicode standard (table 3-7) has them.
local function is_character(bytes)
  local first, second = bytes:byte(1, 2)
  local length = first >= 240 and 4 or first >= 224 and 3 or 2
  local low = first == 224 and 160 or first == 240 and 144 or 128
  local high = first == 237 and 159 or first == 244 and 143 or 191
  return first >= 194 and first <= 244 and #bytes == length and second >= low and second <= high
end

-- What a store can keep of a text that may hold anything: UTF-8 without control characters, a "?" in place of what is none.
local function readable(text)
  return (text:gsub("%c", "?"):gsub("[\128-\255][\128-\191]*", function(bytes) return not is_character(bytes) and "?" or nil end))
end

-- The last line of a file that is not empty, and whether it is the error that a command ends with; nil where there is none.
local function last_line(path)
  if file.kind(path) ~= "file" then return nil end
  local last
  for line in file.read(path):gmatch "[^\r\n]+" do
    if line:match "%S" then last = line end
  end
  if not last then return nil end
  local plain, own = last:gsub("\27%[[%d;]*%a", ""):gsub("\t", " "):gsub("^exeunt: ", "")
  return readable(plain), own > 0
end

-- The training and the metric that `watch` names; no training: the first that has the metric.
local function watched(watch)
  local train, name = watch:match "^([%w_.-]+):(.+)$"
  return train, name or watch
end

local Follower = {}
Follower.__index = Follower

-- Follows the values of a metric in a log: of the first training that has it, or of the one that "NAME:metric" names.
local function follow(path, watch)
  local train, name = watched(watch)
  return setmetatable({ path = path, metric = name, train = train, last = -math.huge }, Follower)
end

-- news(): { { step, value }, ... } beyond the last step that was given, ascending.
function Follower:news()
  if file.kind(self.path) ~= "file" then return {} end
  local size, changed = file.stat(self.path)
  if size == self.size and changed == self.changed then return {} end
  self.size, self.changed = size, changed
  local found = {}
  for text in file.read(self.path):gmatch "([^\n]*)\n" do
    local ok, line = pcall(json.decode, text)
    local value = ok and type(line) == "table" and metric.get(line, self.metric)
    local step = value and (line.step or line.epoch)
    if step and self.train == nil then self.train = line.train or false end
    if step and (line.train or false) == self.train and step > self.last then found[#found + 1] = { step, value } end
  end
  table.sort(found, function(a, b) return a[1] < b[1] end)
  if #found > 0 then self.last = found[#found][1] end
  return found
end

-- The values and constraints of a finished run; nil, why not, and the path that is at fault where the result has no such number.
local function results(study, folder)
  local doc = document(folder)
  if not doc then return nil, "its folder holds no run.json" end
  local values, constraints = {}, {}
  for _, list in ipairs { study.objectives, study.constraints } do
    for i, each in ipairs(list) do
      local x, why, none = metric.get(doc, each.path)
      if not x then return nil, "its result " .. why .. (none and metric.suggest(doc, each.path) or ""), none and each.path or nil end
      if list == study.objectives then values[i] = x else constraints[i] = metric.excess(each, x) end
    end
  end
  return values, constraints
end

-- unseen(study, folder): why a finished run showed the stopper nothing, in words that follow "trial N".
function attempt.unseen(study, folder)
  local train, path = watched(study.watch or study.objectives[1].path)
  local log, seen, trains = folder .. "/log.jsonl", nil, {}
  for text in (file.kind(log) == "file" and file.read(log) or ""):gmatch "[^\n]+" do
    local ok, line = pcall(json.decode, text)
    if ok and type(line) == "table" then
      if line.train then trains[line.train] = true end
      if not seen or line.train == train then seen = line end
    end
  end
  if not seen then return "reported no steps (ex.train and ex.report do), so that the stopper sees nothing" end
  local what, near = path, metric.suggest(seen, path)
  if train and not trains[train] then
    what, near = ("training '%s'"):format(train), options.suggest(train, options.sorted_keys(trains))
  end
  return ("has no %s in its log.jsonl, so that the stopper sees nothing; `watch` says what it looks at%s"):format(what, near)
end

local function how_it_ended(code, err, folder)
  local said, own = last_line(err)
  if code > 128 and code ~= 130 and code ~= 143 then
    local text = ("killed by signal %d%s"):format(code - 128, code == 137 and " (out of memory?)" or "")
    return said and text .. "; it last said: " .. said or text
  end
  if own then return said end
  local text = ("ended with code %d"):format(code)
  if not said and not file.kind(folder) then return ("%s, and its folder %s is not there any more"):format(text, folder) end
  return text .. (said and "; it last said: " .. said or " and said nothing")
end

-- -- The run ------------------------------------------------------------------------------------------------------------------

-- Handles what is new in the log; "stopped" or "paused" where the trial is to end there.
local function steps(o, log)
  for _, pair in ipairs(log:news()) do
    local verdict = o.on_step(pair[1], pair[2])
    if verdict then
      log.judged = pair[1]
      return verdict
    end
  end
end

-- Whether a run that was to end had come to its end: it ended well, and a paused one has no step beyond the one that it paused at.
local function was_over(code, verdict, log)
  if code ~= 0 then return false end
  if verdict == "late" then return true end
  return verdict == "paused" and #log:news() == 0 and log.last == log.judged
end

-- Looks at the run until it ends or is to be ended: its code or nil, and what it is to be.
local function watch_over(o, run, log, begun)
  while true do
    local code = run:wait(LOOK)
    local verdict = steps(o, log) or o.look()
    if code or verdict then return code, verdict end
    local limit = o.study.trial_seconds
    if limit and core.C.ex_clock() - begun > limit - o.before then return nil, "late" end
  end
end

-- A run that ended by a signal which was not this process's doing: the same signal may be on its way here.
local function signalled(code)
  if code ~= 130 and code ~= 143 then return false end
  for _ = 1, 10 do
    if signals.requested() then return true end
    child.sleep(0.1)
  end
  return false
end

-- What became of a run that took too long: code is what it ended with.
local function too_late(o, code)
  local said = last_line(o.folder_err)
  local how = code == 137 and ("SIGTERM did not end it within the grace of %g s, SIGKILL did"):format(o.grace) or "SIGTERM ended it"
  return { state = "failed", fault = true, error = ("longer than trial_seconds = %g: %s%s"):format(o.study.trial_seconds, how,
                                      said and "; it last said: " .. said or "") }
end

local function judge(o, code, verdict, folder)
  if verdict == "late" then return too_late(o, code) end
  if verdict then return { state = verdict } end
  if signalled(code) then return { state = "interrupted" } end
  if code ~= 0 then return { state = "failed", fault = true, error = how_it_ended(code, o.folder_err, folder) } end
  local values, constraints, lacks = results(o.study, folder)
  if not values then return { state = "failed", error = constraints, lacks = lacks } end
  return { state = "complete", values = values, constraints = #constraints > 0 and constraints or nil }
end

-- run{ study, params, folder, threads, grace, before, last_step, on_step, look }: runs the trial.
--   before     seconds that earlier attempts took;  last_step   the step up to which on_step has answered already, or nil
--   on_step(step, value) -> nil to go on, "stopped" or "paused";  look() -> nil, "interrupted" or "lost", asked ten times a second
-- Gives { state = "complete"|"failed"|"stopped"|"paused"|"interrupted"|"lost", values, constraints, error, seconds, folder, lacks }:
-- fault: the run did not come to its end (a value that is no number is no fault); lacks: the path of an objective or a constraint at
-- which the finished run's result has no number.
function attempt.run(o)
  local settings = settings_of(o.study, o.params)
  file.make_folder(o.folder:match "^(.*)/[^/]*$" or ".")
  local folder, resume, lock = place(o.folder, o.study.digest, settings)
  o.folder_err = folder .. ".err"
  local log = follow(folder .. "/log.jsonl", o.study.watch or o.study.objectives[1].path)
  log.last = o.last_step or log.last
  local begun = core.C.ex_clock()
  local run = child.start { argv = command_of(o, settings, folder, resume), err = o.folder_err }
  local ok, code, verdict = pcall(watch_over, o, run, log, begun)
  if not ok or verdict and verdict ~= "lost" then
    local ended = run:finish(o.grace)
    if ok then code = code or ended end
    if ok and was_over(code, verdict, log) then verdict = nil end
  end
  run:free()                                -- kills what still runs
  if lock then lock:free() end
  if not ok then error(code, 0) end
  local outcome = judge(o, code, verdict, folder)
  outcome.seconds, outcome.folder = o.before + core.C.ex_clock() - begun, folder
  return outcome
end

return attempt
