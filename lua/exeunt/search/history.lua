-- history.lua: finished trials in the order of how good they are, as samplers and stoppers see them. A trial's rank is a class and
-- two numbers, smaller is better:
--     1  complete and feasible                its loss (a value to be maximised is turned round)
--     2  stopped or paused, and feasible      the steps that it reached (more first), then its last loss
--     3  infeasible                           the sum of its violations
--     4  failed, or without a usable value
-- It knows nothing of spaces.

local core = require "exeunt.core"
local options = require "exeunt.options"

local history = {}

history.FEASIBLE, history.STOPPED, history.INFEASIBLE, history.FAILED = 1, 2, 3, 4

local function usable(x) return type(x) == "number" and x == x and math.abs(x) < math.huge end
history.usable = usable

-- sign(direction): what turns a value into a loss.
function history.sign(direction) return direction == "maximize" and -1 or 1 end

-- loss(trial, directions[, index]): the loss of an objective, or nil.
function history.loss(trial, directions, index)
  local value = trial.values and trial.values[index or 1]
  return usable(value) and history.sign(directions[index or 1]) * value or nil
end

-- violation(trial): the sum of what its constraints exceed 0 by; one that is no number counts as infinite.
function history.violation(trial)
  local sum = 0
  for _, c in ipairs(trial.constraints or {}) do
    sum = sum + (type(c) == "number" and c == c and math.max(c, 0) or math.huge)
  end
  return sum
end

-- rank(trial, directions): class, first, second.
function history.rank(trial, directions)
  local state = trial.state
  if state ~= "complete" and state ~= "stopped" and state ~= "paused" then return history.FAILED, 0, 0 end
  local steps = trial.steps
  local last = steps and steps[#steps]
  local loss = history.loss(trial, directions, 1)
  if state ~= "complete" and not loss and last and usable(last[2]) then loss = history.sign(directions[1]) * last[2] end
  if not loss then return history.FAILED, 0, 0 end
  if state == "complete" then
    for i = 2, #directions do
      if not history.loss(trial, directions, i) then return history.FAILED, 0, 0 end
    end
  end
  local violation = history.violation(trial)
  if violation > 0 then return history.INFEASIBLE, violation, 0 end
  if state == "complete" then return history.FEASIBLE, loss, 0 end
  return history.STOPPED, last and -last[1] or 0, loss
end

-- before(p, q): whether row p = { class, a, b, number } is better than row q; ties go to the lower number.
function history.before(p, q)
  if p.class ~= q.class then return p.class < q.class end
  if p.a ~= q.a then return p.a < q.a end
  if p.b ~= q.b then return p.b < q.b end
  return p.number < q.number
end

-- lag(where, x): x if it may be a sampler's lag: nil, or a whole number of trials from 1 on.
function history.lag(where, x)
  if x ~= nil and (type(x) ~= "number" or x ~= math.floor(x) or x < 1) then
    core.raise("%s: lag must be a whole number from 1 on, got %s", where, options.shown(x))
  end
  return x
end

return history
