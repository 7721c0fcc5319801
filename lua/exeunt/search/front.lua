-- front.lua: which trials are best: the one with the best value of one objective, or the Pareto front of several (those that no
-- other one is at least as good as in all objectives and better in one). Only complete trials that keep their constraints count.

local history = require "exeunt.search.history"
local pareto = require "exeunt.search.pareto"

local front = {}

function front.feasible(trial) return history.violation(trial) == 0 end

-- The losses of a trial that may be best, else nil.
local function losses(trial, directions)
  if history.rank(trial, directions) ~= history.FEASIBLE then return nil end
  local list = {}
  for i = 1, #directions do list[i] = history.loss(trial, directions, i) end
  return list
end

-- of(trials, directions): the best, in order of number; with one objective the first of those that are equal.
function front.of(trials, directions)
  local candidates, points, found = {}, {}, {}
  for _, trial in ipairs(trials) do
    local point = losses(trial, directions)
    if point then candidates[#candidates + 1], points[#points + 1] = trial, point end
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
