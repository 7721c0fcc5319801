-- report/run/networks.lua: how well each exit, the vote, and the pruned network do, on validation and test images, beside the baseline.

local scale = require "exeunt.report.scale"
local tables = require "exeunt.report.table"

local function add(rows, name, validation, test, entry)
  if validation or test then
    entry = entry or {}
    rows[#rows + 1] = { name, validation, test, entry.params, entry.macs, entry.latency_ms }
  end
end

-- The validation score of the subset that the pruned network keeps.
local function pruned_validation(doc)
  for _, s in ipairs(doc.subsets or {}) do
    if table.concat(s.exits, ",") == table.concat(doc.pruned.exits, ",") then return s.val_top1 end
  end
end

local function rows_of(doc)
  local rows, full = {}, doc.full or {}
  for i, e in ipairs(doc.exits) do add(rows, ("exit %d"):format(full.exits and full.exits[i] or i), e.val_top1, e.test_top1) end
  if #doc.exits > 1 and doc.vote then add(rows, "vote of all", doc.vote.val_top1, doc.vote.test_top1, full) end
  local p = doc.pruned
  if p then
    local name = ("pruned (exit%s %s)"):format(#p.exits > 1 and "s" or "", table.concat(p.exits, ", "))
    add(rows, name, pruned_validation(doc), p.test_top1, p)
  end
  if doc.baseline then add(rows, "baseline", doc.baseline.val_top1, doc.baseline.test_top1, doc.baseline) end
  return rows
end

local percent = { title = "validation top-1", format = scale.percent_text, align = "right" }
local COLUMNS = { "network", percent, { title = "test top-1", format = scale.percent_text, align = "right" },
                  { title = "parameters", format = tables.count }, { title = "MACs an image", format = tables.count },
                  { title = "latency (ms)", format = "%.3f", align = "right" } }

return function(view)
  local doc = view.document
  if not doc.exits or #doc.exits == 0 then return nil end
  local rows, ticks = rows_of(doc), {}
  local series = { { title = "validation images", x = {}, y = {}, style = "rings", colour = 1, size = 1.1 },
                   { title = "test images", x = {}, y = {}, style = "points", colour = 2, size = 1.1 } }
  for i, row in ipairs(rows) do
    local at = #rows - i + 1
    ticks[i] = { at, row[1] }
    for k = 1, 2 do series[k].x[i], series[k].y[i] = scale.percent(row[k + 1]), at end
  end
  local base = doc.baseline and doc.baseline.test_top1
  return {
    name = "networks", title = "Exits, vote and pruned network", series = series,
    about = "Top-1 accuracy of each exit alone, of the weighted vote of all of them, and of what pruning kept"
      .. (base and ", beside the single-exit baseline (dashed: its accuracy on the test images)." or "."),
    x = { title = "top-1 accuracy (%)" }, y = { low = 0.5, high = #rows + 0.5, ticks = ticks },
    guides = base and { { x = 100 * base } } or nil,
    height = 120 + 34 * #rows, table = { columns = COLUMNS, rows = rows },
  }
end
