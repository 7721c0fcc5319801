-- outcome_test.lua: the sentences of documents whose numbers are given: what is said follows from them, either way.

local lu = require "luaunit"
local json = require "exeunt.report.json"
local outcome = require "exeunt.report.outcome"

TestOutcome = {}

local function entry(top1, params, macs, latency, exits)
  return { test_top1 = top1, params = params, macs = macs, latency_ms = latency, latency_quartiles_ms = { latency * 0.99, latency * 1.01 },
           exits = exits }
end

local function document(pruned)
  return { exits = {}, vote = { val_top1 = 0.9, test_top1 = 0.9 }, subsets = {}, baseline = entry(0.9, 100, 1000, 2, { 2 }),
           full = entry(0.91, 110, 1100, 2.2, { 1, 2 }), pruned = pruned }
end

local function last(doc, n)
  local said = outcome.sentences(doc, n)
  return said[#said]
end

function TestOutcome.test_in_all()
  lu.assertEquals(last(document(entry(0.95, 50, 750, 1.5, { 1 }))), "In all, the pruned network is 5.00 points better than the baseline "
    .. "in test top-1, with 50.0 % fewer parameters and 25.0 % fewer MACs than it, and 25.0 % less latency.")
  lu.assertEquals(last(document(entry(0.8, 100, 1100, 2.5, { 2 }))), "In all, the pruned network is 10.00 points worse than the baseline "
    .. "in test top-1, with as many parameters and 10.0 % more MACs than it, and 25.0 % more latency.")
end

-- Where the middle halves of the runs meet, nothing is said to be faster.
function TestOutcome.test_a_latency_within_the_spread()
  lu.assertStrContains(last(document(entry(0.95, 50, 750, 1.99, { 1 }))), "and a latency that cannot be told from the baseline's.")
end

function TestOutcome.test_chance()
  local doc = document(entry(0.901, 100, 1000, 2, { 2 }))
  lu.assertStrContains(last(doc, 1000), "(on 1,000 images such a difference may be chance)")
  lu.assertNotStrContains(last(document(entry(0.95, 50, 750, 1.5, { 1 })), 10000), "chance")
end

function TestOutcome.test_the_note_comes_last()
  local doc = document(entry(0.95, 50, 750, 1.5, { 1 }))
  doc.note = "There is more in a file."
  lu.assertStrMatches(outcome.text(doc, 1000), ".*\nThere is more in a file%.\n")
  doc.baseline, doc.note = json.null, nil
  lu.assertNotStrContains(outcome.text(doc, 1000), "In all")
end

os.exit(lu.LuaUnit.run())
