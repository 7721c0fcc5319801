-- report/study/importance.lua: how much each knob decides whether a trial is among the best (search/importance.lua: PED-ANOVA), where
-- there are trials enough to say.

local importance = require "exeunt.search.importance"
local Space = require "exeunt.search.space"

-- What search/importance.lua gives for an objective; nil and why not where it cannot be said.
local function shares(view, index)
  if not view.document.space then return nil end
  local ok, list, count, early = pcall(importance, Space.from_document(view.document.space), view.trials,
                                       view.objectives[index].maximize and "maximize" or "minimize", index)
  if not ok then return nil, tostring(list) end
  return list, count, early
end

-- A bar for each knob that can be judged, the largest share on top; the table has the others too.
local function one(view, index, list, count, early)
  local o, ticks, rows, judged = view.objectives[index], {}, {}, {}
  local bars = { x = {}, y = {}, style = "bars", colour = 1 }
  for i, entry in ipairs(list) do
    if entry[3] >= importance.fewest then judged[#judged + 1] = entry end
    rows[i] = { entry[1], entry[3] >= importance.fewest and 100 * entry[2] or nil, entry[3] }
  end
  for i, entry in ipairs(judged) do
    local at = #judged - i + 1
    ticks[i], bars.x[i], bars.y[i] = { at, entry[1] }, 100 * entry[2], at
  end
  return { name = index == 1 and "importance" or "importance-" .. index, series = { bars }, key = false, height = 90 + 30 * #judged,
           title = #view.objectives > 1 and "Importance for " .. o.path or "Importance",
           about = ("How much each knob decides whether a trial is among the best by %s: PED-ANOVA over %d trials, of a knob over those "
             .. "that have it."):format(o.path, count) .. table.concat({ "", unpack(importance.notes(list, count, early)) }, " "),
           x = { title = "share (%)", low = 0 }, y = { low = 0.4, high = #judged + 0.6, ticks = ticks },
           table = { columns = { "knob", { title = "share (%)", format = "%.1f", align = "right" }, "trials" }, rows = rows } }
end

local module = {}

-- why_not(view): a sentence where a figure is left out; nil where none is.
function module.why_not(view)
  for i, o in ipairs(view.objectives) do
    local list, why = shares(view, i)
    if not list and why then
      return ("The importance of knobs%s is left out: %s."):format(#view.objectives > 1 and " for " .. o.path or "",
                                                                  (why:gsub("^importance: ", "")))
    end
  end
end

return setmetatable(module, { __call = function(_, view)
  local out = {}
  for i in ipairs(view.objectives) do
    local list, count, early = shares(view, i)
    if list and #list > 0 then out[#out + 1] = one(view, i, list, count, early) end
  end
  return out
end })
