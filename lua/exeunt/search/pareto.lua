-- pareto.lua: points of several losses, all to be made small: who dominates whom, the fronts, and how lonely a point is on its front
-- (Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE Trans. Evol. Comput. 6, 2002). A point is a
-- list of numbers; infinities are allowed, NaN is not.

local pareto = {}

-- dominates(a, b): no loss larger, one smaller.
function pareto.dominates(a, b)
  local smaller = false
  for i = 1, #a do
    if a[i] > b[i] then return false end
    smaller = smaller or a[i] < b[i]
  end
  return smaller
end

-- The indices of `left` whose points none of the others dominates, and the others. A member that has just dominated a point goes to
-- the front of the line, since it is likely to dominate the next one too.
local function peel(points, left)
  local front, rest = {}, {}
  for _, index in ipairs(left) do
    local point, kept, by = points[index], 0, nil
    for i = 1, #front do
      local member = front[i]
      if pareto.dominates(points[member], point) then
        by = i
        break
      end
      if pareto.dominates(point, points[member]) then rest[#rest + 1] = member
      else kept, front[kept + 1] = kept + 1, member end
    end
    if by then
      rest[#rest + 1] = index                 -- nothing was dropped: what it dominates, its dominator does too
      front[by], front[1] = front[1], front[by]
    else
      for i = #front, kept + 1, -1 do front[i] = nil end
      front[kept + 1] = index
    end
  end
  return front, rest
end

-- fronts(points[, enough]): lists of indices, the best front first, until `enough` points stand in them (default: all). Within a
-- front indices are in lexicographic order of their points.
function pareto.fronts(points, enough)
  local left = {}
  for i = 1, #points do left[i] = i end
  local function before(a, b)
    local p, q = points[a], points[b]
    for i = 1, #p do
      if p[i] ~= q[i] then return p[i] < q[i] end
    end
    return a < b
  end
  local fronts, count = {}, 0
  while #left > 0 and count < (enough or math.huge) do
    local front
    front, left = peel(points, left)
    table.sort(front, before)
    fronts[#fronts + 1] = front
    count = count + #front
  end
  return fronts
end

-- crowding(points, front): for each index of the front how far its neighbours are apart, summed over the losses, each in units of
-- the front's range; infinite at the ends. -> { [index] = distance }
function pareto.crowding(points, front)
  local distance, order = {}, {}
  for i, index in ipairs(front) do distance[index], order[i] = 0, index end
  for loss = 1, #front > 0 and #points[front[1]] or 0 do
    table.sort(order, function(a, b)
      if points[a][loss] ~= points[b][loss] then return points[a][loss] < points[b][loss] end
      return a < b
    end)
    local low, high = points[order[1]][loss], points[order[#order]][loss]
    distance[order[1]], distance[order[#order]] = math.huge, math.huge
    for i = 2, #order - 1 do
      local apart = points[order[i + 1]][loss] - points[order[i - 1]][loss]
      if high > low and high - low < math.huge then distance[order[i]] = distance[order[i]] + apart / (high - low) end
    end
  end
  return distance
end

return pareto
