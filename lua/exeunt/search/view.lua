-- view.lua: what a person sees of a search on standard error. On a terminal a block of lines that is drawn again and again: how
-- far it is, the time left, the best so far, what each worker does, the last failures, as much as its rows hold. Elsewhere a line
-- for each trial that ends. It reads trials; it changes nothing.

local core = require "exeunt.core"
local front = require "exeunt.search.front"
local progress = require "exeunt.report.progress"
local shown = require("exeunt.search.worker").shown
local term = require "exeunt.report.term"

local View = {}
View.__index = View

local INTERVAL = 0.5                        -- seconds between two drawings
local BAR, NARROW = 24, 70                  -- cells; below so many columns there are half of them
local FAILURES = 3                          -- lines

local over = { complete = true, stopped = true, failed = true }

-- new{ study, most = trials at most or math.huge, workers, stream, tty, width, height, clock }: the last five for tests.
local function new(o)
  local self = setmetatable(o, View)
  self.stream = self.stream or io.stderr
  if self.tty == nil then self.tty = term.is_tty(2) end
  self.clock = self.clock or core.C.ex_clock
  self.begun, self.last, self.lines, self.told = self.clock(), -math.huge, 0, {}
  return self
end

local function values_text(study, trial)
  local parts = {}
  for i, each in ipairs(study.objectives) do
    local x = trial.values and trial.values[i]
    if x then parts[#parts + 1] = ("%s %.6g"):format(each.path, x) end
  end
  return table.concat(parts, "  ")
end

-- Whether it is complete and no candidate for the best all the same.
local function breaks(trial) return trial.state == "complete" and not front.feasible(trial) end

local function count(trials)
  local n = { complete = 0, stopped = 0, failed = 0, running = 0, paused = 0, over = 0, broken = 0 }
  for _, trial in ipairs(trials) do
    n[trial.state] = n[trial.state] + 1
    if over[trial.state] then n.over = n.over + 1 end
    if breaks(trial) then n.broken = n.broken + 1 end
  end
  return n
end

local function one_line(text) return (tostring(text):gsub("%c+", " ")) end

-- "3 complete, 1 of them breaking a constraint, 1 failed"; running: what those are called that are begun and not ended.
local function states_text(n, running)
  local parts = {}
  for _, state in ipairs { "complete", "stopped", "paused", "failed", "running" } do
    if n[state] > 0 then parts[#parts + 1] = ("%d %s"):format(n[state], state == "running" and running or state) end
    if state == "complete" and n.broken > 0 then
      parts[#parts] = ("%s, %d of them breaking a constraint"):format(parts[#parts], n.broken)
    end
  end
  return #parts > 0 and table.concat(parts, ", ") or "none begun yet"
end

-- Seconds that what is left of the trials will take, from how fast they ended since the start; nil where nobody can say.
function View:left(n)
  if self.most == math.huge or not self.first or n.over <= self.first or n.over >= self.most then return nil end
  return (self.clock() - self.begun) / (n.over - self.first) * math.max(0, self.most - n.over)
end

local function best_line(study, trials)
  local best = front.of(trials, study.directions)
  if #best == 0 then return "best    none yet" end
  if #study.directions > 1 then
    return ("front   %d trial%s; the last of them %d: %s"):format(#best, #best == 1 and "" or "s", best[#best].number,
                                                                 values_text(study, best[#best]))
  end
  return ("best    trial %d: %s  %s"):format(best[1].number, values_text(study, best[1]), shown(best[1].params))
end

-- Who runs a trial: a number where the name has one ("worker 2 host:17"), and the machine.
local function who(worker)
  local slot, host = worker:match "^worker (%d+) (.+):%d+$"
  return tonumber(slot) or math.huge, host or worker
end

-- By the workers' numbers, which suffice as names where all are of one machine.
local function running_lines(trials)
  local list, hosts = {}, {}
  for _, trial in ipairs(trials) do
    if trial.state == "running" then
      local last = trial.steps and trial.steps[#trial.steps]
      local at = not trial.params and "choosing a point" or not last and "begun" or ("step %d: %.6g"):format(last[1], last[2])
      local worker = tostring(trial.worker or "?")
      local slot, host = who(worker)
      hosts[#hosts + 1] = host ~= hosts[1] and host or nil
      list[#list + 1] = { worker = worker, slot = slot,
                          text = ("trial %d  %s  %s"):format(trial.number, at, trial.params and shown(trial.params) or "") }
    end
  end
  table.sort(list, function(a, b)
    if a.slot ~= b.slot then return a.slot < b.slot end
    return a.worker < b.worker
  end)
  local lines = {}
  for i, each in ipairs(list) do
    lines[i] = ("%s  %s"):format(#hosts == 1 and each.slot < math.huge and "worker " .. each.slot or each.worker, each.text)
  end
  return lines
end

-- The first `room` of some lines, the last of which says how many are left out.
local function fitted(lines, room)
  if #lines <= room then return lines end
  local kept = { unpack(lines, 1, room - 1) }
  if room > 0 then kept[room] = ("... and %d more"):format(#lines - room + 1) end
  return kept
end

local function failure_lines(trials)
  local failed = {}
  for _, trial in ipairs(trials) do
    if trial.state == "failed" then failed[#failed + 1] = trial end
  end
  table.sort(failed, function(a, b) return (a.finish or 0) > (b.finish or 0) end)
  local lines = {}
  for i = 1, math.min(FAILURES, #failed) do
    lines[i] = ("failed  trial %d: %s"):format(failed[i].number, one_line(failed[i].error))
  end
  return lines
end

-- block(trials, width, height): the lines of the live view, fewer than height; width: columns.
function View:block(trials, width, height)
  local n, bar = count(trials), width < NARROW and BAR / 2 or BAR
  local total = self.most < math.huge and self.most or nil
  local share = total and total > 0 and math.min(1, n.over / total) or 0
  local head = { "study " .. self.study.name }
  if total then head[2] = "[" .. ("="):rep(math.floor(share * bar)) .. (" "):rep(bar - math.floor(share * bar)) .. "]" end
  head[#head + 1] = total and ("%d/%d trials"):format(n.over, total) or ("%d trials"):format(n.over)
  head[#head + 1] = progress.duration(self.clock() - self.begun)
  local left = self:left(n)
  if left then head[#head + 1] = "about " .. progress.duration(left) .. " left" end
  local lines = { table.concat(head, "  "), "trials  " .. states_text(n), best_line(self.study, trials) }
  local failures = fitted(failure_lines(trials), math.max(0, math.floor((height - 4) / 2)))
  for _, more in ipairs { fitted(running_lines(trials), math.max(0, height - 4 - #failures)), failures } do
    for _, line in ipairs(more) do lines[#lines + 1] = line end
  end
  return lines
end

-- Writes the block over the one before it, line by line: nothing flickers, and what is cleared goes to no terminal's history.
function View:draw(trials)
  local width, height, out = self.width or term.columns(2), self.height or term.rows(2), {}
  if self.lines > 0 then out[1] = ("\27[%dA\r"):format(self.lines) end
  local lines = self:block(trials, width, height)
  for _, line in ipairs(lines) do out[#out + 1] = term.cut(line, width - 1) .. "\27[K\n" end
  out[#out + 1] = "\27[J"
  self.lines = #lines
  self.stream:write(table.concat(out))
  self.stream:flush()
end

-- Whether a trial that has just ended is the best so far, where there is one objective.
function View:leads(trial)
  local best = front.of({ self.leader or trial, trial }, self.study.directions)[1]
  if #self.study.directions > 1 or best ~= trial then return false end
  self.leader = trial
  return true
end

-- A line for each trial that has ended since the last call.
function View:tell(trials)
  local ended = {}
  for _, trial in ipairs(trials) do
    if over[trial.state] and not self.told[trial.number] then ended[#ended + 1] = trial end
  end
  table.sort(ended, function(a, b) return (a.finish or 0) < (b.finish or 0) end)
  for _, trial in ipairs(ended) do
    self.told[trial.number] = true
    local text = trial.state == "failed" and one_line(trial.error) or values_text(self.study, trial)
    local praise = breaks(trial) and "  (breaks a constraint)" or self:leads(trial) and "  (best so far)" or ""
    self.stream:write(("trial %d  %s  %s  %s%s\n"):format(trial.number, trial.state, text,
                                                           trial.params and shown(trial.params) or "", praise))
  end
  self.stream:flush()
end

-- update(trials): shows them where it is time to. The first call notes what was there before.
function View:update(trials)
  if not self.first then
    self.first = count(trials).over
    for _, trial in ipairs(trials) do
      if over[trial.state] then self.told[trial.number] = true end
    end
    if self.first > 0 and #self.study.directions == 1 then self.leader = front.of(trials, self.study.directions)[1] end
  end
  if not self.tty then return self:tell(trials) end
  if self.clock() - self.last < INTERVAL then return end
  self.last = self.clock()
  self:draw(trials)
end

-- say(text): a line that stays, above the block.
function View:say(text)
  if self.lines > 0 then self.stream:write(("\27[%dA\r\27[J"):format(self.lines)) end
  self.lines = 0
  self.stream:write(text, "\n")
  self.stream:flush()
end

-- finish(trials): the last state of things.
function View:finish(trials)
  self.last = -math.huge
  self:update(trials)
end

return { new = new, values_text = values_text, count = count, states_text = states_text }
