-- front.lua: which trials are best: the one with the best value of one objective, or the Pareto front of several (those that no
-- other one is at least as good as in all objectives and better in one). Only complete trials that keep their constraints count.

local pareto = require "exeunt.search.pareto"

local front = {}

function front.feasible(trial)
  for _, c in ipairs(trial.constraints or {}) do
    if c > 0 then return false end
  end
  return true
end

local function losses(values, directions)
  local list = {}
  for i, direction in ipairs(directions) do list[i] = direction == "maximize" and -values[i] or values[i] end
  return list
end

-- of(trials, directions): the best, in order of number; with one objective the first of those that are equal.
function front.of(trials, directions)
  local candidates, points, found = {}, {}, {}
  for _, trial in ipairs(trials) do
    if trial.state == "complete" and front.feasible(trial) then
      candidates[#candidates + 1], points[#points + 1] = trial, losses(trial.values, directions)
    end
  end
  if #candidates == 0 then return {} end
  if #directions == 1 then
    local best = 1
    for i = 2, #points do
      if points[i][1] < points[best][1] then best = i end
    end
    return { candidates[best] }
  end
  local first = pareto.fronts(points, 1)[1]
  table.sort(first)
  for i, index in ipairs(first) do found[i] = candidates[index] end
  return found
end

return front
