-- report/outcome.lua: a run's document (result.lua) in words for a person: a table of networks, and a sentence or two about
-- what was gained or lost, either way. Every word follows from numbers of the document.

local json = require "exeunt.report.json"
local stats = require "exeunt.stats"
local tables = require "exeunt.report.table"

local outcome = {}

local function percent(x) return ("%.2f %%"):format(100 * x) end
local function milliseconds(x) return ("%.3f ms"):format(x) end
local function points(x) return ("%.2f points"):format(math.abs(100 * x)) end

-- "1, 2 and 3".
local function listed(list)
  if #list <= 1 then return tostring(list[1] or "none") end
  return table.concat(list, ", ", 1, #list - 1) .. " and " .. list[#list]
end

local function row(name, kept, entry, validation)
  return { name, kept, entry.val_top1 or validation, entry.test_top1, entry.params, entry.macs, entry.latency_ms }
end

-- The validation score of the subset that the pruned network keeps.
local function subset_score(doc)
  for _, s in ipairs(doc.subsets) do
    if table.concat(s.exits, ",") == table.concat(doc.pruned.exits, ",") then return s.val_top1 end
  end
end

local function networks(doc)
  local rows = {}
  if doc.baseline then rows[#rows + 1] = row("baseline (single exit)", "-", doc.baseline) end
  local name = #doc.full.exits > 1 and "full (vote of all exits)" or "network"
  rows[#rows + 1] = row(name, listed(doc.full.exits), doc.full, doc.vote.val_top1)
  if doc.pruned then rows[#rows + 1] = row("pruned", listed(doc.pruned.exits), doc.pruned, subset_score(doc)) end
  return tables.render({ "network", "exits", { title = "validation", format = percent },
                         { title = "test top-1", format = percent }, { title = "parameters", format = tables.count },
                         { title = "MACs", format = tables.count }, { title = "latency", format = milliseconds } }, rows)
end

local function exits(doc)
  local rows = {}
  for _, e in ipairs(doc.exits) do rows[#rows + 1] = { e.name, e.val_top1, e.test_top1 } end
  rows[#rows + 1] = { "vote", doc.vote.val_top1, doc.vote.test_top1 }
  return tables.render({ "exit", { title = "validation", format = percent }, { title = "test top-1", format = percent } }, rows)
end

-- -- Sentences ---------------------------------------------------------------------------------------------

-- Whether top-1 p and q, each measured on n images, differ by no more than two standard errors of the difference (as of
-- independent samples): then a sentence must not make much of it.
local function by_chance(p, q, n)
  return n ~= nil and n > 0 and math.abs(p - q) <= 2 * math.sqrt((p * (1 - p) + q * (1 - q)) / n)
end

-- "0.31 points better than", "as good as": p beside q; and the caution that belongs to it.
local function versus(p, q, n)
  if p == q then return "as good as", "" end
  local caution = by_chance(p, q, n) and (" (on %s images such a difference may be chance)"):format(tables.count(n)) or ""
  return ("%s %s than"):format(points(p - q), p > q and "better" or "worse"), caution
end

-- "12.3 % fewer parameters than", "as many parameters as".
local function change(now, before, what)
  local share = now / before - 1
  if math.abs(share) < 0.0005 then return ("as many %s as"):format(what) end
  return ("%.1f %% %s %s than"):format(math.abs(100 * share), share < 0 and "fewer" or "more", what)
end

local function joint_training(doc, n)
  local f, b = doc.full, doc.baseline
  if not (b and b.test_top1 and f.test_top1) or #f.exits < 2 then return nil end
  local verdict, caution = versus(f.test_top1, b.test_top1, n)
  local gain = f.test_top1 - b.test_top1
  return ("The joint training %s: on the test images the vote of all %d exits (%s) is %s the single-exit baseline (%s)%s."):format(
    gain > 0 and "gained accuracy" or gain < 0 and "cost accuracy" or "left the accuracy as it was", #f.exits,
    percent(f.test_top1), verdict, percent(b.test_top1), caution)
end

local function pruning(doc, n)
  local p, f = doc.pruned, doc.full
  if not p or #f.exits < 2 then return nil end
  if #p.exits == #f.exits then return "Pruning kept every exit: no smaller subset votes as well on the validation images." end
  local kept = ("Pruning kept exit%s %s"):format(#p.exits > 1 and "s" or "", listed(p.exits))
  local size = ("%s and %s the full network"):format((change(p.params, f.params, "parameters"):gsub(" %a+$", "")),
                                                     change(p.macs, f.macs, "MACs"))
  if not (p.test_top1 and f.test_top1) then return ("%s: %s."):format(kept, size) end
  local verdict, caution = versus(p.test_top1, f.test_top1, n)
  return ("%s: %s; on the test images it is %s the vote of all exits%s."):format(kept, size, verdict, caution)
end

-- "12.3 % less latency"; where the middle halves of both measurements meet, the two cannot be told apart.
local function latency(now, before)
  local a, b = now.latency_quartiles_ms, before.latency_quartiles_ms
  if not (now.latency_ms and before.latency_ms) then return nil end
  if a and b and a[1] <= b[2] and b[1] <= a[2] then return "a latency that cannot be told from the baseline's" end
  local share = now.latency_ms / before.latency_ms - 1
  return ("%.1f %% %s latency"):format(math.abs(100 * share), share < 0 and "less" or "more")
end

local function in_all(doc, n)
  local p, b = doc.pruned, doc.baseline
  if not (p and b and p.test_top1 and b.test_top1) then return nil end
  local verdict, caution = versus(p.test_top1, b.test_top1, n)
  local delay = latency(p, b)
  return ("In all, the pruned network is %s the baseline in test top-1%s, with %s and %s it%s."):format(verdict, caution,
    (change(p.params, b.params, "parameters"):gsub(" %a+$", "")), change(p.macs, b.macs, "MACs"), delay and ", and " .. delay or "")
end

-- sentences(doc, n): a list; n: how many test images there were.
function outcome.sentences(doc, n)
  local out = {}
  for _, say in ipairs { joint_training, pruning, in_all } do out[#out + 1] = say(doc, n) end
  return out
end

-- -- Many trainings --------------------------------------------------------------------------------------

local function spread(list)
  local mean, deviation = stats.mean(list), stats.deviation(list)
  if not mean then return nil end
  return deviation and ("%.2f +- %.2f %%"):format(100 * mean, 100 * deviation) or percent(mean)
end

local function add(list, x) if x then list[#list + 1] = x end end

-- Cells by label, in the order in which labels come: numbers of each, a list.
local function grouped(cells)
  local labels, groups = {}, {}
  for _, cell in ipairs(cells) do
    local label, kept = cell.label or "-", cell.pruned or cell.full
    if not groups[label] then
      labels[#labels + 1] = label
      groups[label] = { count = 0, vote = {}, last = {}, pruned = {}, params = {}, macs = {} }
    end
    local g = groups[label]
    g.count = g.count + 1
    add(g.vote, cell.full.test_top1)
    add(g.last, cell.exits[#cell.exits].test_top1)
    add(g.pruned, cell.pruned and cell.pruned.test_top1)
    add(g.params, kept.params)
    add(g.macs, kept.macs)
  end
  return labels, groups
end

-- A row for each label: means and deviations over its seeds.
local function cells_text(doc)
  local labels, groups = grouped(doc.cells)
  local rows = {}
  for i, label in ipairs(labels) do
    local g = groups[label]
    rows[i] = { label, g.count, spread(g.last), spread(g.vote), spread(g.pruned), stats.mean(g.params), stats.mean(g.macs) }
  end
  local function right(title) return { title = title, align = "right" } end
  local columns = { "training", "runs", right "last exit", right "vote", right "pruned",
                    { title = "parameters", format = tables.count }, { title = "MACs", format = tables.count } }
  return tables.render(columns, rows)
         .. "\nTest top-1, mean +- standard deviation over the runs; parameters and MACs are means of what was kept.\n"
end

-- text(doc, n): the whole, lines ended; n: how many test images there were, where known.
function outcome.text(doc, n)
  doc = json.plain(doc)
  if doc.cells then return cells_text(doc) end
  local parts = { networks(doc) }
  if #doc.exits > 1 then parts[#parts + 1] = exits(doc) end
  local said = outcome.sentences(doc, n)
  if #said > 0 then parts[#parts + 1] = table.concat(said, "\n") .. "\n" end
  if doc.note then parts[#parts + 1] = doc.note .. "\n" end
  return table.concat(parts, "\n")
end

return outcome
