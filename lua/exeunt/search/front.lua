-- front.lua: which trials are best: the one with the best value of one objective, or the Pareto front of several (those that no
-- other one is at least as good as in all objectives and better in one). Only complete trials that keep their constraints count.

local front = {}

function front.feasible(trial)
  for _, c in ipairs(trial.constraints or {}) do
    if c > 0 then return false end
  end
  return true
end

-- Whether values a are at least as good as b everywhere and better somewhere.
local function dominates(a, b, directions)
  local better = false
  for i, direction in ipairs(directions) do
    local gain = direction == "maximize" and a[i] - b[i] or b[i] - a[i]
    if gain < 0 then return false end
    better = better or gain > 0
  end
  return better
end

-- of(trials, directions): the best, in order of number; with one objective the first of those that are equal.
function front.of(trials, directions)
  local candidates, found = {}, {}
  for _, trial in ipairs(trials) do
    if trial.state == "complete" and front.feasible(trial) then candidates[#candidates + 1] = trial end
  end
  for _, trial in ipairs(candidates) do
    local beaten = false
    for _, other in ipairs(candidates) do beaten = beaten or dominates(other.values, trial.values, directions) end
    if not beaten then found[#found + 1] = trial end
  end
  if #directions == 1 then return { found[1] } end
  return found
end

return front
