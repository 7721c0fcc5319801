-- asha.lua: asynchronous successive halving (Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020).
-- Rungs lie at the steps first, first * reduction, first * reduction^2, ..., rounded up, below `most`. A trial's value at a rung is
-- the first that it reports at or after it. Of the n trials with a value there the best n / reduction (rounded down) go on.
--     stopping form (promote = false)   a trial that reaches a rung goes on if it is among them (at least one is), else stops
--     promotion form (promote = true)   every trial pauses at a rung; before a new trial is begun, the best of the paused that is
--                                       among them is taken up again, the highest rung first. Where nothing more is to be begun, those
--                                       are that are as far as the farthest, where a complete trial is no farther (without `most` they
--                                       were paused at their end); and where none is complete the best of the farthest
-- A value that is no number ends the trial. It keeps no state: rungs are read off the trials' steps. Ties go to the lower number.

local core = require "exeunt.core"
local options = require "exeunt.options"
local history = require "exeunt.search.history"

local Asha = {}
Asha.__index = Asha

-- rung(k): the step of rung k = 0, 1, ...; nil from `most` on.
function Asha:rung(k)
  local step = math.ceil(self.options.first * self.options.reduction ^ k - 1e-9)
  return (not self.options.most or step < self.options.most) and step or nil
end

-- The last step that a trial has reported, 0 if none.
local function reached(trial)
  local steps = trial.steps
  return steps and #steps > 0 and steps[#steps][1] or 0
end

-- The loss of a trial at a rung, nil where it has not come so far; infinite where it is no number.
local function loss_at(trial, rung, sign)
  for _, pair in ipairs(trial.steps or {}) do
    if pair[1] >= rung then return history.usable(pair[2]) and sign * pair[2] or math.huge end
  end
end

-- The trials that have a value at a rung, best first: { { trial, loss }, ... }.
local function standing(trials, rung, sign)
  local list = {}
  for _, trial in ipairs(trials) do
    local loss = loss_at(trial, rung, sign)
    if loss then list[#list + 1] = { trial = trial, loss = loss } end
  end
  table.sort(list, function(a, b)
    if a.loss ~= b.loss then return a.loss < b.loss end
    return a.trial.number < b.trial.number
  end)
  return list
end

-- Whether the trial that reached a rung with a loss is among the best that go on there.
local function goes_on(self, look, rung, loss)
  local better, n = 0, 1
  for _, other in ipairs(look.trials) do
    local theirs = other.number ~= look.trial.number and loss_at(other, rung, history.sign(look.direction))
    if theirs then
      n = n + 1
      if theirs < loss or theirs == loss and other.number < look.trial.number then better = better + 1 end
    end
  end
  return better < math.max(1, math.floor(n / self.options.reduction))
end

-- decide(look) -> "go", "stop" or "pause". look = { trial, trials, step, value, direction }
function Asha:decide(look)
  if not history.usable(look.value) then return "stop" end
  local before = 0
  for _, pair in ipairs(look.trial.steps or {}) do
    if pair[1] < look.step then before = math.max(before, pair[1]) end
  end
  local k = 0
  while self:rung(k) and self:rung(k) <= look.step do
    local rung = self:rung(k)
    if rung > before then                   -- passed just now
      if self.options.promote then return "pause" end
      if not goes_on(self, look, rung, history.sign(look.direction) * look.value) then return "stop" end
    end
    k = k + 1
  end
  return "go"
end

-- Where nothing more is to be begun: the best of the paused that are as far as any trial, if one that is complete is no farther (or
-- none is complete); else nil.
local function last_one(trials, direction)
  local sign, farthest, whole, best = history.sign(direction), 0, nil, nil
  for _, trial in ipairs(trials) do
    farthest = math.max(farthest, reached(trial))
    if trial.state == "complete" then whole = math.max(whole or 0, reached(trial)) end
  end
  for _, trial in ipairs(trials) do
    local at = reached(trial)
    local loss = trial.state == "paused" and loss_at(trial, at, sign)
    if loss and (whole == nil or at == farthest and at == whole)
       and (not best or at > best.at or at == best.at and loss < best.loss) then
      best = { at = at, loss = loss, number = trial.number }
    end
  end
  return best and best.number or nil
end

-- promote(trials, direction[, over]) -> the number of the paused trial to go on with, or nil. over: nothing more is to be begun.
function Asha:promote(trials, direction, over)
  if not self.options.promote then return nil end
  if over then return last_one(trials, direction) end
  local top = 0
  for _, trial in ipairs(trials) do top = math.max(top, reached(trial)) end
  local k = 0
  while self:rung(k + 1) and self:rung(k + 1) <= top do k = k + 1 end
  for level = k, 0, -1 do
    local next_rung = self:rung(level + 1)
    local list = standing(trials, self:rung(level) or math.huge, history.sign(direction))
    for i = 1, math.floor(#list / self.options.reduction) do
      local trial = list[i].trial
      local here = not (next_rung and reached(trial) >= next_rung)
      if trial.state == "paused" and here and list[i].loss < math.huge then return trial.number end
    end
  end
end

-- limit(trial) -> the step up to which it may run now; nil: no limit.
function Asha:limit(trial)
  if not self.options.promote then return nil end
  local k, step = 0, reached(trial)
  while self:rung(k) and self:rung(k) <= step do k = k + 1 end
  return self:rung(k)
end

-- check(where, o): the options that asha and hyperband share.
function Asha.check(where, o)
  for _, name in ipairs { "reduction", "first", "most" } do
    local low = name == "reduction" and 2 or 1
    local x = o[name]
    if x ~= nil and (type(x) ~= "number" or not (x >= low and x < math.huge)) then
      core.raise("%s: %s must be a number from %d on, got %s", where, name, low, options.shown(x))
    end
  end
  if type(o.promote) ~= "boolean" then core.raise("%s: promote must be true or false, got %s", where, options.shown(o.promote)) end
  if o.most and o.most <= o.first then core.raise("%s: most must be above first, got %g and %g", where, o.most, o.first) end
end

-- new { reduction = 4, first = 1 (steps), most = steps of a whole trial, promote = false }
function Asha.new(given)
  local o = options.check("stopper.asha", given, { reduction = 4, first = 1, most = options.optional, promote = false })
  Asha.check("stopper.asha", o)
  return setmetatable({ name = "asha", options = o }, Asha)
end

return Asha
