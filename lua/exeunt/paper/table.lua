-- paper/table.lua: the paper's table of finished cells: for each regime, size and scheme the change against the single exit (se)
-- of the same network, data and seed, in test accuracy, parameters, MACs and latency of the pruned network, relative, as the mean
-- over networks and data sets. Beside it what the paper leaves out: the seeds of each cell, 95 % intervals (Student's t), a paired
-- test of the accuracy in each cell, the subsets chosen, the tie rule, how many cells are in each mean, and by which versions of
-- the engine and with which instruction sets they were trained.
--
--     change of a cell  = mean over seeds of (scheme / se - 1)        change of a row = mean over its cells
--
-- It trains nothing, and leaves out cells whose single exit is missing, saying so.

local json = require "exeunt.report.json"
local stats = require "exeunt.stats"
local tables = require "exeunt.report.table"

local Table = {}
Table.__index = Table

-- The authors' own averages, in percent, read off their figure (about +-0.1): accuracy, parameters, MACs, latency.
local PAPER = {
  ["tr 64 desc"] = { 15.0, -12.7, -3.3, -0.7 }, ["tr 64 mix"] = { 13.3, -41.0, -17.9, -16.3 },
  ["tr 64 unif"] = { 11.6, -25.4, -9.1, -7.4 }, ["tr 64 asc"] = { 8.4, -22.6, -8.5, -6.0 }, ["tr 224 mix"] = { 6.1, -16.6, -5.4, -2.7 },
}
local MEASURES = { "accuracy", "params", "macs", "latency" }

-- -- Cells ---------------------------------------------------------------------------------------------------------

local function numbers_of(entry)
  return { accuracy = entry.test_top1, params = entry.params, macs = entry.macs, latency = entry.latency_ms }
end

-- All settings but one, as a text: without the scheme, what a scheme shares with its single exit; without the seed, what the
-- seeds of a cell share.
local function key_without(name, cell)
  local s = {}
  for k, v in pairs(cell) do s[k] = v end
  s[name] = nil
  return json.encode(s)
end

local function sized(size) return size > 0 and size or "full" end
local function join(list) return #list > 0 and table.concat(list, "+") or "-" end

-- { net, data, size, regime, scheme, tie, seeds, accuracy, single (lists by seed), change = { measure = list }, subsets }.
local function new_cell(c)
  local out = { net = c.net, data = c.data, size = c.size, regime = c.regime, scheme = c.scheme, tie = c.tie, seeds = {}, accuracy = {},
                single = {}, change = {}, subsets = {} }
  for _, m in ipairs(MEASURES) do out.change[m] = {} end
  return out
end

local function add_seed(out, record, single)
  local mine, base = numbers_of(record.result.pruned), numbers_of(single.result.full)
  local n = #out.seeds + 1
  out.seeds[n], out.subsets[n] = record.cell.seed, join(record.result.pruned.exits)
  out.accuracy[n], out.single[n] = mine.accuracy, base.accuracy
  for _, m in ipairs(MEASURES) do out.change[m][n] = mine[m] / base[m] - 1 end
end

-- What is known of a cell: means over its seeds.
local function finish(c)
  c.paired = stats.paired(c.accuracy, c.single)
  c.mean = {}
  for _, m in ipairs(MEASURES) do c.mean[m] = stats.mean(c.change[m]) end
end

-- The cells of the records, in the order in which they come; and how many records have no single exit beside them.
local function cells_of(records)
  local singles, cells, by_key, alone = {}, {}, {}, 0
  for _, r in ipairs(records) do
    if r.cell.scheme == "se" then singles[key_without("scheme", r.cell)] = r end
  end
  for _, r in ipairs(records) do
    local single = singles[key_without("scheme", r.cell)]
    if r.cell.scheme ~= "se" and not single then alone = alone + 1
    elseif r.cell.scheme ~= "se" then
      local key = key_without("seed", r.cell)
      if not by_key[key] then
        by_key[key] = new_cell(r.cell)
        cells[#cells + 1] = by_key[key]
      end
      add_seed(by_key[key], r, single)
    end
  end
  for _, c in ipairs(cells) do finish(c) end
  return cells, alone
end

-- -- Rows -----------------------------------------------------------------------------------------------------------

local SCHEMES = { desc = 1, mix = 2, unif = 3, asc = 4 }

local function rows_of(cells)
  local rows, by_key = {}, {}
  for _, c in ipairs(cells) do
    local key = ("%s %s %s"):format(c.regime, sized(c.size), c.scheme)
    if not by_key[key] then
      by_key[key] = { key = key, regime = c.regime, size = c.size, scheme = c.scheme, cells = {} }
      rows[#rows + 1] = by_key[key]
    end
    table.insert(by_key[key].cells, c)
  end
  for _, row in ipairs(rows) do
    row.mean, row.half = {}, {}
    for _, m in ipairs(MEASURES) do
      local list = {}
      for i, c in ipairs(row.cells) do list[i] = c.mean[m] end
      row.mean[m], row.half[m] = stats.interval(list)
    end
  end
  table.sort(rows, function(a, b)
    if a.regime ~= b.regime then return a.regime > b.regime end
    if a.size ~= b.size then return a.size < b.size end
    return SCHEMES[a.scheme] < SCHEMES[b.scheme]
  end)
  return rows
end

-- How many trainings were made by which engine: a list of { what, version, isa, count }, the unknown ones (lines of older
-- versions) last, without version and isa.
local function makers_of(records)
  local out, by_key = {}, {}
  for _, r in ipairs(records) do
    local key = r.made and ("%s %s%s"):format(r.made.version, r.made.isa, r.made.exact and " exact" or "") or "~"
    if not by_key[key] then
      local made = r.made or {}
      by_key[key] = { key = key, version = made.version, isa = made.isa, exact = made.exact, count = 0 }
      out[#out + 1] = by_key[key]
    end
    by_key[key].count = by_key[key].count + 1
  end
  table.sort(out, function(a, b) return a.key < b.key end)
  return out
end

-- ex.paper.table(records): the table of a store's records (paper/store.lua).
local function new(records)
  local cells, alone = cells_of(records)
  return setmetatable({ cells = cells, rows = rows_of(cells), alone = alone, makers = makers_of(records) }, Table)
end

-- -- Shown ----------------------------------------------------------------------------------------------------------

local function percent(x) return x and ("%+.1f"):format(100 * x) end
local function with_half(mean, half) return half and ("%+.1f +- %.1f"):format(100 * mean, 100 * half) or percent(mean) end
local function right(title) return { title = title, align = "right" } end

local SUMMARY = { "regime", "size", "scheme", right "cells", right "accuracy %", right "parameters %", right "MACs %", right "latency %",
                  right "the paper's four" }

local function summary(self)
  local out = {}
  for i, r in ipairs(self.rows) do
    local theirs = PAPER[r.key]
    out[i] = { r.regime, sized(r.size), r.scheme, #r.cells, with_half(r.mean.accuracy, r.half.accuracy), percent(r.mean.params),
               percent(r.mean.macs), percent(r.mean.latency), theirs and ("%+.1f %+.1f %+.1f %+.1f"):format(unpack(theirs)) }
  end
  return out
end

local CELLS = { "network", "data", "size", "regime", "scheme", right "seeds", right "single %", right "pruned %", right "difference",
                right "p", right "parameters %", right "MACs %", right "latency %", "exits kept", "ties" }

local function points(x, half) return half and ("%+.2f +- %.2f"):format(100 * x, 100 * half) or ("%+.2f"):format(100 * x) end

local function details(self)
  local out = {}
  for i, c in ipairs(self.cells) do
    out[i] = { c.net, c.data, sized(c.size), c.regime, c.scheme, #c.seeds, ("%.2f"):format(100 * stats.mean(c.single)),
               ("%.2f"):format(100 * stats.mean(c.accuracy)), points(c.paired.mean, c.paired.half),
               c.paired.p and ("%.3f"):format(c.paired.p), percent(c.mean.params), percent(c.mean.macs), percent(c.mean.latency),
               table.concat(c.subsets, ", "), c.tie }
  end
  return out
end

local NOTES = {
  "Changes of the pruned network against the single exit of the same network, data and seed, in percent; a row is the mean of its cells.",
  "+-: 95 % intervals by Student's t, of a row over its cells, of a cell's difference (points of test accuracy) over its seeds; "
    .. "p: paired t test.",
  "Latency: of one image, the median of runs in which the networks take turns on one machine.",
}

-- "Trained with avx2 kernels of version 0.1.0 (3 cells), ..." in words.
local function trained_with(makers)
  local parts = {}
  for i, m in ipairs(makers) do
    local cells = ("%d cell%s"):format(m.count, m.count == 1 and "" or "s")
    parts[i] = m.isa and ("%s kernels%s of version %s (%s)"):format(m.isa, m.exact and " (exact)" or "", m.version, cells)
                      or ("instruction sets that their records do not say (%s)"):format(cells)
  end
  return ("Trained with %s.%s"):format(table.concat(parts, ", "), #makers > 1 and " Other instruction sets round otherwise: "
    .. "the same settings and seed give other last digits there." or "")
end

function Table:notes()
  local out = { unpack(NOTES) }
  if self.alone > 0 then out[#out + 1] = ("%d finished cells are left out: their single exit is not there yet."):format(self.alone) end
  if #self.makers > 0 then out[#out + 1] = trained_with(self.makers) end
  return out
end

-- text(), markdown(): both tables and what they mean; csv(): a line a cell.
function Table:text()
  if #self.cells == 0 then return table.concat(self:notes(), "\n") .. "\n" end
  return table.concat({ tables.render(SUMMARY, summary(self)), tables.render(CELLS, details(self)),
                        table.concat(self:notes(), "\n") .. "\n" }, "\n")
end
Table.__tostring = Table.text

function Table:markdown()
  return table.concat({ tables.markdown(SUMMARY, summary(self)), tables.markdown(CELLS, details(self)),
                        table.concat(self:notes(), "\n\n") .. "\n" }, "\n")
end

function Table:csv() return tables.csv(CELLS, details(self)) end

-- document(): what goes into a run's document.
function Table:document()
  local rows, cells = json.list(), json.list()
  for i, r in ipairs(self.rows) do
    rows[i] = { regime = r.regime, size = r.size, scheme = r.scheme, cells = #r.cells, change = r.mean, half95 = r.half,
                paper_percent = PAPER[r.key] and json.list { unpack(PAPER[r.key]) } or json.null }
  end
  for i, c in ipairs(self.cells) do
    cells[i] = { net = c.net, data = c.data, size = c.size, regime = c.regime, scheme = c.scheme, tie = c.tie,
                 seeds = json.list(c.seeds), test_top1 = json.list(c.accuracy), single_test_top1 = json.list(c.single),
                 exits = json.list(c.subsets), change = c.mean, difference = c.paired.mean, half95 = c.paired.half or json.null,
                 p = c.paired.p or json.null }
  end
  local makers = json.list()
  for i, m in ipairs(self.makers) do
    makers[i] = { version = m.version or json.null, isa = m.isa or json.null, cells = m.count }
    if m.exact ~= nil then makers[i].exact = m.exact end
  end
  return { table = rows, table_cells = cells, left_out = self.alone, made_by = makers }
end

return new
