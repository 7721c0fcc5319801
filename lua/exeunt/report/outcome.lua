-- report/outcome.lua: a run's document (result.lua) in words for a person: a table of networks, and a sentence or two about
-- what was gained or lost, either way. Every word follows from numbers of the document.

local json = require "exeunt.report.json"
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
  rows[#rows + 1] = row(#doc.full.exits > 1 and "full (vote of all exits)" or "network", listed(doc.full.exits), doc.full, doc.vote.val_top1)
  if doc.pruned then rows[#rows + 1] = row("pruned", listed(doc.pruned.exits), doc.pruned, subset_score(doc)) end
  return tables.render({ "network", "exits", { title = "validation", format = percent }, { title = "test top-1", format = percent },
                         { title = "parameters", format = tables.count }, { title = "MACs", format = tables.count },
                         { title = "latency", format = milliseconds } }, rows)
end

local function exits(doc)
  local rows = {}
  for _, e in ipairs(doc.exits) do rows[#rows + 1] = { e.name, e.val_top1, e.test_top1 } end
  rows[#rows + 1] = { "vote", doc.vote.val_top1, doc.vote.test_top1 }
  return tables.render({ "exit", { title = "validation", format = percent }, { title = "test top-1", format = percent } }, rows)
end

-- -- Sentences ---------------------------------------------------------------------------------------------

-- How many images a difference in top-1 is worth, as one standard error of it where both are measured on n images and
-- taken as independent: below it a sentence must not claim a difference.
local function noise(p, q, n)
  if not n or n == 0 then return 0 end
  return math.sqrt((p * (1 - p) + q * (1 - q)) / n)
end

local function versus(a, b, n)
  local difference = a - b
  if difference == 0 then return "as well as", difference, true end
  return difference > 0 and "better than" or "worse than", difference, math.abs(difference) <= noise(a, b, n)
end

local function change(now, before)
  local share = now / before - 1
  if math.abs(share) < 0.0005 then return "as many" end
  return ("%.1f %% %s"):format(math.abs(100 * share), share < 0 and "fewer" or "more")
end

local function against_baseline(doc, n)
  if not (doc.baseline and doc.baseline.test_top1 and doc.full.test_top1 and #doc.full.exits > 1) then return nil end
  local _, d, small = versus(doc.full.test_top1, doc.baseline.test_top1, n)
  local numbers = ("the vote of all %d exits reaches %s on the test images, the single-exit baseline %s"):format(
    #doc.full.exits, percent(doc.full.test_top1), percent(doc.baseline.test_top1))
  if d == 0 then return ("The joint training changed nothing in accuracy: %s."):format(numbers) end
  local caution = small and ", no more than chance explains on so many images" or ""
  return ("The joint training %s: %s (%s %s%s)."):format(d > 0 and "gained accuracy" or "cost accuracy", numbers, points(d),
                                                       d > 0 and "more" or "less", caution)
end

local function pruning(doc, n)
  local p, f = doc.pruned, doc.full
  if not p or #f.exits < 2 then return nil end
  if #p.exits == #f.exits then return "Pruning kept every exit: on the validation images no smaller subset votes as well." end
  local verdict, d, small = versus(p.test_top1 or 0, f.test_top1 or 0, n)
  local accuracy = p.test_top1 and f.test_top1 and (d == 0 and ", and votes as well on the test images" or
    (", and votes %s %s the full network on the test images%s"):format(points(d), verdict, small and " (within chance)" or "")) or ""
  return ("Pruning kept exit%s %s: %s parameters and %s MACs than the full network%s."):format(
    #p.exits > 1 and "s" or "", listed(p.exits), change(p.params, f.params), change(p.macs, f.macs), accuracy):gsub("as many (%a+) than", "as many %1 as")
end

local function in_all(doc, n)
  local p, b = doc.pruned, doc.baseline
  if not (p and b and p.test_top1 and b.test_top1) then return nil end
  local verdict, d, small = versus(p.test_top1, b.test_top1, n)
  local accuracy = d == 0 and "equally accurate" or ("%s %s%s"):format(points(d), verdict:gsub(" than", ""), small and " (within chance)" or "")
  return (("In all, against the baseline the pruned network is %s in test top-1, with %s parameters and %s MACs."):format(
    accuracy, change(p.params, b.params), change(p.macs, b.macs)))
end

-- sentences(doc, n): a list; n: how many test images there were.
function outcome.sentences(doc, n)
  local out = {}
  for _, say in ipairs { against_baseline, pruning, in_all } do out[#out + 1] = (say(doc, n)) end
  return out
end

-- -- Many trainings --------------------------------------------------------------------------------------

-- mean(list), and the standard deviation of a sample (n - 1), nil for fewer than 2.
function outcome.mean(list)
  local n, sum, squares = #list, 0, 0
  if n == 0 then return nil end
  for _, x in ipairs(list) do sum = sum + x end
  for _, x in ipairs(list) do squares = squares + (x - sum / n) ^ 2 end
  return sum / n, n > 1 and math.sqrt(squares / (n - 1)) or nil
end

local function spread(list)
  local mean, deviation = outcome.mean(list)
  if not mean then return nil end
  return deviation and ("%.2f +- %.2f %%"):format(100 * mean, 100 * deviation) or percent(mean)
end

-- Cells of one label in a row: means over their seeds.
local function cells(doc)
  local labels, groups = {}, {}
  for _, cell in ipairs(doc.cells) do
    local label = cell.label or cell.recipe or "cell"
    if not groups[label] then
      labels[#labels + 1], groups[label] = label, { n = 0, vote = {}, last = {}, pruned = {}, params = {}, macs = {} }
    end
    local g, small = groups[label], cell.pruned or cell.full
    g.n = g.n + 1
    for key, x in pairs { vote = cell.full.test_top1 or false, last = cell.exits[#cell.exits].test_top1 or false,
                          pruned = cell.pruned and cell.pruned.test_top1 or false, params = small.params, macs = small.macs } do
      if x then table.insert(g[key], x) end
    end
  end
  local rows = {}
  for i, label in ipairs(labels) do
    local g = groups[label]
    rows[i] = { label, g.n, spread(g.last), spread(g.vote), spread(g.pruned), (outcome.mean(g.params)), (outcome.mean(g.macs)) }
  end
  local right = function(title) return { title = title, align = "right" } end
  return tables.render({ "training", "seeds", right "last exit", right "vote", right "pruned", { title = "parameters", format = tables.count },
                         { title = "MACs", format = tables.count } }, rows)
         .. "\nTest top-1 as mean +- standard deviation over the seeds; parameters and MACs are means of what was kept.\n"
end

-- text(doc, n): the whole, lines ended; n: how many test images there were, where known.
function outcome.text(doc, n)
  doc = json.plain(doc)
  if doc.cells then return cells(doc) end
  local parts = { networks(doc) }
  if #doc.exits > 1 then parts[#parts + 1] = exits(doc) end
  local said = outcome.sentences(doc, n)
  if #said > 0 then parts[#parts + 1] = table.concat(said, "\n") .. "\n" end
  return table.concat(parts, "\n")
end

return outcome
