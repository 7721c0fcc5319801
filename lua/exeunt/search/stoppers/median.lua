-- median.lua: ends a trial whose best value so far is worse than the median of the others' averages up to the same step (Golovin
-- et al., "Google Vizier", KDD 2017, 3.2.2). The others are the trials that finished by themselves; before `startup` of them
-- and before step `warmup` nothing is ended. A value that is no number ends the trial.

local core = require "exeunt.core"
local options = require "exeunt.options"
local history = require "exeunt.search.history"

local Median = {}
Median.__index = Median

-- The mean loss of a trial's steps up to `step`; nil where there are none.
local function average(trial, step, sign)
  local sum, n = 0, 0
  for _, pair in ipairs(trial.steps or {}) do
    if pair[1] <= step and history.usable(pair[2]) then sum, n = sum + sign * pair[2], n + 1 end
  end
  return n > 0 and sum / n or nil
end

local function median(list)
  table.sort(list)
  local n = #list
  return n % 2 == 1 and list[(n + 1) / 2] or (list[n / 2] + list[n / 2 + 1]) / 2
end

-- decide(look) -> "go" or "stop". look = { trial, trials, step, value, direction }
function Median:decide(look)
  if not history.usable(look.value) then return "stop" end
  if look.step < self.options.warmup then return "go" end
  local sign, averages = history.sign(look.direction), {}
  for _, trial in ipairs(look.trials) do
    if trial.state == "complete" and trial.number ~= look.trial.number then averages[#averages + 1] = average(trial, look.step, sign) end
  end
  if #averages < self.options.startup then return "go" end
  local best = sign * look.value
  for _, pair in ipairs(look.trial.steps or {}) do
    if pair[1] <= look.step and history.usable(pair[2]) then best = math.min(best, sign * pair[2]) end
  end
  return best > median(averages) and "stop" or "go"
end

function Median:promote() end               -- luacheck: no self
function Median:limit() end                 -- luacheck: no self

-- new { startup = 5 finished trials, warmup = 0 steps }
function Median.new(given)
  local o = options.check("stopper.median", given, { startup = 5, warmup = 0 })
  for _, name in ipairs { "startup", "warmup" } do
    local low = name == "startup" and 1 or 0
    if type(o[name]) ~= "number" or not (o[name] >= low) then
      core.raise("stopper.median: %s must be a number from %d on, got %s", name, low, options.shown(o[name]))
    end
  end
  return setmetatable({ name = "median", options = o }, Median)
end

return Median
