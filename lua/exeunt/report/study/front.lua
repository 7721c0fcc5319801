-- report/study/front.lua: for several objectives, the trials over the first and each other one, and those that no trial is better than
-- in all objectives: the Pareto front.

local knob = require "exeunt.report.study.knob"
local pareto = require "exeunt.search.pareto"
local scale = require "exeunt.report.scale"

local MOST_NAMES = 15                       -- points of the front that are named by their trial

-- The trials of the front, by rising objective 2.
local function front_of(view)
  local losses, out = {}, {}
  for i, t in ipairs(view.ranked) do
    losses[i] = {}
    for k, o in ipairs(view.objectives) do losses[i][k] = o.maximize and -t.values[k] or t.values[k] end
  end
  for k, i in ipairs(pareto.fronts(losses, 1)[1]) do out[k] = view.ranked[i] end
  table.sort(out, function(a, b)
    if a.values[2] ~= b.values[2] then return a.values[2] < b.values[2] end
    return a.number < b.number
  end)
  return out
end

local function table_of(view, front)
  local columns, rows = { "trial" }, {}
  for _, o in ipairs(view.objectives) do columns[#columns + 1] = { title = o.path, format = scale.number_text, align = "right" } end
  for _, k in ipairs(view.knobs) do columns[#columns + 1] = { title = k.name, align = k.kind ~= "choice" and "right" or nil } end
  for i, t in ipairs(front) do
    local row = { t.number }
    for k = 1, #view.objectives do row[k + 1] = t.values[k] end
    for k, each in ipairs(view.knobs) do
      local value = (t.params or {})[each.name]
      row[1 + #view.objectives + k] = value ~= nil and knob.text(value) or nil
    end
    rows[i] = row
  end
  return { columns = columns, rows = rows }
end

local function width_of(list)
  local low, high = math.huge, -math.huge
  for _, x in ipairs(list) do low, high = math.min(low, x), math.max(high, x) end
  return high - low
end

-- The numbers of the trials of a series beside their points, but for those that would lie on one before.
local function names_of(s, trials, width, height)
  local marks = {}
  local function covered(x, y)
    for _, m in ipairs(marks) do
      if math.abs(m[1] - x) < 0.05 * width and math.abs(m[2] - y) < 0.08 * height then return true end
    end
    return false
  end
  for i, t in ipairs(trials) do
    if #marks < MOST_NAMES and not covered(s.x[i], s.y[i]) then
      marks[#marks + 1] = { s.x[i], s.y[i], tostring(t.number), align = "center offset 0,1" }
    end
  end
  return marks
end

-- Objective 1 upwards, objective `other` to the right.
local function one(view, other, front)
  local xs, ys = {}, {}
  for i, t in ipairs(view.done) do xs[i], ys[i] = t.values[other], t.values[1] end
  local xd, xword = scale.of(xs)
  local yd, yword = scale.of(ys)
  local function series(trials, s)
    s.x, s.y = {}, {}
    for i, t in ipairs(trials) do s.x[i], s.y[i] = t.values[other] / xd, t.values[1] / yd end
    return s
  end
  local by_x = { unpack(front) }
  table.sort(by_x, function(a, b)
    if a.values[other] ~= b.values[other] then return a.values[other] < b.values[other] end
    return a.number < b.number
  end)
  local broke = {}
  for _, t in ipairs(view.done) do if not view.feasible(t) then broke[#broke + 1] = t end end
  local x, y = view.objectives[other], view.objectives[1]
  local list = {
    series(by_x, { title = "Pareto front", style = x.maximize and "fsteps" or "steps", colour = 2 }),
    series(view.ranked, { title = "trial", style = "points", colour = 1 }),
    series(broke, { title = "breaks a constraint", style = "rings", colour = "muted" }),
    series(by_x, { title = "on the front", style = "rings", colour = "ink", size = 1.6 }),
  }
  if #view.objectives > 2 then table.remove(list, 1) end          -- in a plane of two of them the front is no line
  return { name = other == 2 and "front" or "front-" .. other, series = list, room = true,
           marks = names_of(series(by_x, {}), by_x, width_of(xs) / xd, width_of(ys) / yd),
           title = #view.objectives > 2 and ("Pareto front: %s over %s"):format(y.path, x.path) or "Pareto front",
           about = "Trials on the front, named by their numbers, are those that no other beats in one objective without losing in another.",
           x = { title = knob.objective_title(x, xword) }, y = { title = knob.objective_title(y, yword) },
           table = other == 2 and table_of(view, front) or nil }
end

return function(view)
  if #view.objectives < 2 or #view.ranked == 0 then return nil end
  local front, out = front_of(view), {}
  for other = 2, #view.objectives do out[#out + 1] = one(view, other, front) end
  return out
end
