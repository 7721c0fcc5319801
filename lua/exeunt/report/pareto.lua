-- report/pareto.lua: the points that no other is better than: a point is dominated where another is at least as good in every
-- objective and better in one. Equal points are all kept.

-- front(points, maximize): points: lists of numbers; maximize[i]: whether more of number i is better. Gives the indices of the
-- points that are not dominated, by rising first number.
return function(points, maximize)
  local function dominates(p, q)
    local better = false
    for i = 1, #maximize do
      local d = maximize[i] and p[i] - q[i] or q[i] - p[i]
      if d < 0 then return false end
      better = better or d > 0
    end
    return better
  end
  -- Best first: no point is dominated by a later one, so only the front so far has to be looked at.
  local order, out = {}, {}
  for i = 1, #points do order[i] = i end
  table.sort(order, function(a, b)
    for k = 1, #maximize do
      local x, y = points[a][k], points[b][k]
      if x ~= y then return maximize[k] == (x > y) end
    end
    return a < b
  end)
  for _, i in ipairs(order) do
    local kept = true
    for _, j in ipairs(out) do
      if dominates(points[j], points[i]) then kept = false break end
    end
    if kept then out[#out + 1] = i end
  end
  table.sort(out, function(a, b)
    if points[a][1] ~= points[b][1] then return points[a][1] < points[b][1] end
    return a < b
  end)
  return out
end
