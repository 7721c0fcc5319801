-- report/study/importance.lua: how much each knob decides whether a trial is among the best (search/importance.lua: PED-ANOVA), where
-- there are trials enough to say.

local importance = require "exeunt.search.importance"
local Space = require "exeunt.search.space"

-- { { name, share, trials }, ... } of complete trials, or nil where it cannot be said.
local function shares(view, index)
  if #view.done < importance.fewest or not view.document.space then return nil end
  local space = Space.from_document(view.document.space)
  return (importance(space, view.done, view.objectives[index].maximize and "maximize" or "minimize", index))
end

local function one(view, index, list)
  local o, ticks, rows = view.objectives[index], {}, {}
  local bars = { x = {}, y = {}, style = "bars", colour = 1 }
  table.sort(list, function(a, b)
    if a[2] ~= b[2] then return a[2] > b[2] end
    return a[1] < b[1]
  end)
  for i, entry in ipairs(list) do
    local at = #list - i + 1
    ticks[i], bars.x[i], bars.y[i] = { at, entry[1] }, 100 * entry[2], at
    rows[i] = { entry[1], entry[3] >= importance.fewest and 100 * entry[2] or nil, entry[3] }
  end
  return { name = index == 1 and "importance" or "importance-" .. index, series = { bars }, key = false, height = 90 + 30 * #list,
           title = #view.objectives > 1 and "Importance for " .. o.path or "Importance",
           about = ("How much each knob decides whether a trial is among the best by %s: PED-ANOVA over %d complete trials, of a knob over "
             .. "those that have it.")
             :format(o.path, #view.done),
           x = { title = "share (%)", low = 0 }, y = { low = 0.4, high = #list + 0.6, ticks = ticks },
           table = { columns = { "knob", { title = "share (%)", format = "%.1f", align = "right" }, "trials" }, rows = rows } }
end

return function(view)
  local out = {}
  for i in ipairs(view.objectives) do
    local list = shares(view, i)
    if list and #list > 0 then out[#out + 1] = one(view, i, list) end
  end
  return out
end
