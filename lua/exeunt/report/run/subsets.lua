-- report/run/subsets.lua: every subset of exits: validation accuracy over the multiply-accumulates that it needs, with the Pareto front.

local pareto = require "exeunt.search.pareto"
local scale = require "exeunt.report.scale"
local tables = require "exeunt.report.table"

local MOST_NAMES = 12                       -- of points of the front that are named in the figure

local function listed(s) return table.concat(s.exits, ", ") end

local function rows_of(subsets, front, kept)
  local on, rows = {}, {}
  for _, i in ipairs(front) do on[i] = true end
  for i, s in ipairs(subsets) do
    rows[i] = { listed(s), s.val_top1, s.val_top5, s.macs, s.params, (on[i] and "front" or "") .. (listed(s) == kept and " kept" or "") }
  end
  return rows
end

local COLUMNS = { { title = "exits", align = "left" }, { title = "validation top-1", format = scale.percent_text },
                  { title = "validation top-5", format = scale.percent_text },
                  { title = "MACs an image", format = tables.count }, { title = "parameters", format = tables.count }, "" }

-- { title, x, y } of the subsets with those indices.
local function series_of(subsets, indices, divisor, s)
  s.x, s.y = {}, {}
  for k, i in ipairs(indices) do s.x[k], s.y[k] = subsets[i].macs / divisor, scale.percent(subsets[i].val_top1) end
  return s
end

return function(view)
  local doc, subsets, all, points, macs = view.document, {}, {}, {}, {}
  for _, s in ipairs(doc.subsets or {}) do
    if s.macs and s.val_top1 then
      local i = #subsets + 1
      subsets[i], all[i], points[i], macs[i] = s, i, { s.macs, -s.val_top1 }, s.macs
    end
  end
  if #subsets < 2 then return nil end
  local front, divisor, word = pareto.fronts(points, 1)[1], scale.of(macs)
  local kept, chosen, marks = doc.pruned and listed(doc.pruned), {}, {}
  for i, s in ipairs(subsets) do if listed(s) == kept then chosen[#chosen + 1] = i end end
  for k, i in ipairs(front) do
    if k <= MOST_NAMES then
      marks[k] = { subsets[i].macs / divisor, 100 * subsets[i].val_top1, listed(subsets[i]), align = "center offset 0,1" }
    end
  end
  return {
    name = "subsets", title = "Subsets of exits", marks = marks, room = true,
    about = ("The %d subsets of exits, scored by their vote on the validation images. Those on the front are named by their exits: "
      .. "no other subset is both cheaper and better."):format(#subsets),
    x = { title = word and ("multiply-accumulates an image (%s)"):format(word) or "multiply-accumulates an image" },
    y = { title = "validation top-1 (%)" },
    series = { series_of(subsets, front, divisor, { title = "Pareto front", style = "steps", colour = 2 }),
               series_of(subsets, all, divisor, { title = "subset", style = "points", colour = 1 }),
               series_of(subsets, chosen, divisor, { title = "kept by pruning", style = "rings", colour = "ink", size = 1.8 }) },
    table = { columns = COLUMNS, rows = rows_of(subsets, front, kept) },
  }
end
