-- report/run/cells.lua: a run of many trainings (ex.result { cells = ... }): test accuracy by label, mean and standard deviation over
-- the runs of a label.

local scale = require "exeunt.report.scale"
local stats = require "exeunt.stats"

local MEASURES = { { "last exit", function(c) return c.exits and c.exits[#c.exits] and c.exits[#c.exits].test_top1 end },
                   { "vote", function(c) return c.full and c.full.test_top1 end },
                   { "pruned", function(c) return c.pruned and c.pruned.test_top1 end } }

-- Labels in the order in which they come, and for each the lists of its measures.
local function grouped(cells)
  local labels, groups = {}, {}
  for _, c in ipairs(cells) do
    local label = tostring(c.label or "-")
    if not groups[label] then
      labels[#labels + 1], groups[label] = label, { {}, {}, {} }
    end
    for k, m in ipairs(MEASURES) do
      local value = m[2](c)
      if value then table.insert(groups[label][k], value) end
    end
  end
  return labels, groups
end

local function spread_text(list)
  local mean, deviation = stats.mean(list), stats.deviation(list)
  return mean and (deviation and ("%.2f +- %.2f %%"):format(100 * mean, 100 * deviation) or ("%.2f %%"):format(100 * mean))
end

return function(view)
  local cells = view.document.cells
  if not cells or #cells == 0 then return nil end
  local labels, groups = grouped(cells)
  local series, ticks, rows = {}, {}, {}
  for k, m in ipairs(MEASURES) do
    series[k] = { title = m[1], x = {}, y = {}, low = {}, high = {}, spread = "x", style = "points", colour = k, size = 1 }
  end
  for i, label in ipairs(labels) do
    local at = #labels - i + 1
    ticks[i], rows[i] = { at, label }, { label, #groups[label][1] }
    for k in ipairs(MEASURES) do
      local list, s = groups[label][k], series[k]
      local mean, half = stats.mean(list), stats.deviation(list) or 0
      s.x[i], s.y[i] = scale.percent(mean), at + (2 - k) * 0.18
      s.low[i], s.high[i] = mean and 100 * (mean - half), mean and 100 * (mean + half)
      rows[i][k + 2] = spread_text(list)
    end
  end
  local function right(title) return { title = title, align = "right" } end
  return { name = "cells", title = "Trainings by label", series = series, height = 130 + 44 * #labels,
           about = "Test top-1: the mean over the runs of a label, and one standard deviation to each side.",
           x = { title = "test top-1 (%)" }, y = { low = 0.5, high = #labels + 0.5, ticks = ticks },
           table = { columns = { "training", "runs", right "last exit", right "vote", right "pruned" }, rows = rows } }
end
