-- report/run/paper.lua: the paper's table (paper/table.lua) as figures: the change against the single exit, of each regime, size and
-- scheme: accuracy, parameters, MACs, latency, with 95 % intervals over the cells and the paper's own averages where it has some.

local MEASURES = { { "accuracy", "test accuracy" }, { "params", "parameters" }, { "macs", "multiply-accumulates" },
                   { "latency", "latency" } }

local function label_of(r) return ("%s %s %s"):format(r.regime, r.size > 0 and r.size or "full", r.scheme) end

local function one(rows, index, key, title)
  local ours = { title = "here", x = {}, y = {}, low = {}, high = {}, spread = "x", style = "points", colour = 1, size = 1 }
  local paper = { title = "the paper", x = {}, y = {}, style = "rings", colour = 2, size = 1.1 }
  local ticks, out = {}, {}
  for i, r in ipairs(rows) do
    local at = #rows - i + 1
    local mean, half = r.change[key], r.half95 and r.half95[key]
    ticks[i] = { at, label_of(r) }
    ours.x[i], ours.y[i] = mean and 100 * mean, at
    ours.low[i], ours.high[i] = mean and half and 100 * (mean - half), mean and half and 100 * (mean + half)
    paper.x[i], paper.y[i] = r.paper_percent and r.paper_percent[index] or false, at
    out[i] = { label_of(r), r.cells, mean and 100 * mean, half and 100 * half, paper.x[i] or nil }
  end
  local number = { format = "%+.1f", align = "right" }
  return { name = "paper-" .. key, title = "Change of " .. title, series = { ours, paper }, height = 120 + 32 * #rows,
           about = ("The pruned network's %s against the single exit of the same network, data and seed: mean over the cells "
             .. "and its 95 %% interval."):format(title),
           x = { title = ("change of %s (%%)"):format(title), zero = true }, y = { low = 0.5, high = #rows + 0.5, ticks = ticks },
           guides = { { x = 0 } },
           table = { columns = { "regime, size, scheme", "cells", { title = "change (%)", format = number.format, align = "right" },
                                 { title = "+-", format = "%.1f", align = "right" },
                                 { title = "the paper (%)", format = number.format, align = "right" } }, rows = out } }
end

return function(view)
  local rows, out = view.document.table, {}
  if type(rows) ~= "table" or #rows == 0 then return nil end
  for i, m in ipairs(MEASURES) do out[i] = one(rows, i, m[1], m[2]) end
  return out
end
