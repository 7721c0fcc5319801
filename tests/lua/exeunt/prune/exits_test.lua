-- All subsets of exits: scores of hand-made logits, both rules for ties, costs, and the network that is cut out.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestPrune = {}

local labels = ex.tensor({ 0, 1, 2, 3 }, "int32")

-- Each exit says, for each of the four samples, which class it would vote for, with what strength.
local function says(exits)
  local z = {}
  for e, votes in ipairs(exits) do
    z[e] = {}
    for n, vote in ipairs(votes) do
      z[e][n] = { 0, 0, 0, 0 }
      z[e][n][vote[1] + 1] = vote[2]
    end
  end
  return ex.tensor(z)
end

-- Right answers are 0 1 2 3. Exit 1 is right in 0 and 1, strongly in 0; exit 2 in 1 and 2; exit 3 in 2 and 3.
local logits = says {
  { { 0, 4 }, { 1, 1 }, { 0, 1 }, { 0, 1 } },
  { { 1, 1 }, { 1, 1 }, { 2, 1 }, { 0, 1 } },
  { { 1, 1 }, { 0, 3 }, { 2, 3 }, { 3, 3 } },
}

local function scores(list)
  local out = {}
  for i, s in ipairs(list) do out[i] = { table.concat(s.exits, ""), s.val_top1 } end
  return out
end

-- b = 1/3 each. By hand, the right samples:
--   3: 2, 3       2: 1, 2       23: sample 0: 1; 1: 0 (3 > 1); 2: right; 3: right -> 2, 3
--   1: 0, 1       13: 0: 4 against 1, right; 1: 0 (3 > 1); 2: right (3 > 1); 3: right -> 0, 2, 3
--   12: 0: right; 1: right; 2: 0 and 2 tie at 1, the lower index wins: wrong; 3: wrong -> 0, 1
--   123: 0: 4 against 2, right; 1: 3 against 2, wrong; 2: 4 against 1; 3: 3 against 2, right -> 0, 2, 3
function TestPrune.test_subsets_in_the_papers_order()
  lu.assertEquals(scores(ex.prune.exits.subsets(logits, labels, { 1 / 3, 1 / 3, 1 / 3 })), {
    { "3", .5 }, { "2", .5 }, { "23", .5 }, { "1", .5 }, { "13", .75 }, { "12", .5 }, { "123", .75 },
  })
end

-- With four classes every label's rank is below 5.
function TestPrune.test_top5()
  for _, s in ipairs(ex.prune.exits.subsets(logits, labels, { 1 / 3, 1 / 3, 1 / 3 })) do lu.assertEquals(s.val_top5, 1) end
end

-- b = {.25, .35, .4}: in 12, sample 2 has .25 for 0 and .35 for 2, which is right now; in 23, sample 1 has .35 for 1 and
-- 1.2 for 0; in 123 sample 0 has 1 for 0 and .75 for 1, sample 1 has .6 for 1 and 1.2 for 0, sample 3 .6 for 0 and 1.2 for 3.
function TestPrune.test_vote_weights_count()
  lu.assertEquals(scores(ex.prune.exits.subsets(logits, labels, { .25, .35, .4 })), {
    { "3", .5 }, { "2", .5 }, { "23", .5 }, { "1", .5 }, { "13", .75 }, { "12", .75 }, { "123", .75 },
  })
end

local function table_of(rows)
  local out = {}
  for i, exits in ipairs(ex.prune.exits.order(3)) do
    local r = rows[table.concat(exits, "")] or {}
    out[i] = { exits = exits, val_top1 = r[1] or 0, val_top5 = r[2] or 0, macs = r[3] or 100, params = r[4] or 100 }
  end
  return out
end

local function chosen(rows, tie) return table.concat(ex.prune.exits.choose(table_of(rows), tie).exits, "") end

function TestPrune.test_top1_before_top5_before_anything()
  local rows = { ["1"] = { .8, .9, 1, 1 }, ["12"] = { .8, .95, 50, 50 }, ["123"] = { .81, .9, 90, 90 } }
  lu.assertEquals({ chosen(rows, "cheapest"), chosen(rows, "paper") }, { "123", "123" })
  rows["123"] = nil
  lu.assertEquals({ chosen(rows, "cheapest"), chosen(rows, "paper") }, { "12", "12" })
end

function TestPrune.test_the_papers_ties()
  lu.assertEquals(chosen({ ["3"] = { .9, 1, 90 }, ["1"] = { .9, 1, 10 }, ["123"] = { .9, 1, 95 } }, "paper"), "3")
  lu.assertEquals(chosen({ ["1"] = { .9, 1, 10 }, ["13"] = { .9, 1, 80 }, ["2"] = { .9, 1, 20 } }, "paper"), "2")
  lu.assertEquals(chosen({ ["12"] = { .9, 1, 10 }, ["13"] = { .9, 1, 80 } }, "paper"), "13")
end

function TestPrune.test_cheapest_ties()
  lu.assertEquals(chosen({ ["3"] = { .9, 1, 90 }, ["1"] = { .9, 1, 10 }, ["123"] = { .9, 1, 95 } }, "cheapest"), "1")
  lu.assertEquals(chosen({ ["3"] = { .9, 1, 10, 5 }, ["2"] = { .9, 1, 10, 4 } }, "cheapest"), "2")
  lu.assertEquals(chosen({ ["3"] = { .9, 1, 10, 5 }, ["2"] = { .9, 1, 10, 5 } }, "cheapest"), "3")
end

function TestPrune.test_all_of_it()
  local net = nets.vgg()
  local best = ex.prune.exits(net, { logits = logits, labels = labels })
  lu.assertEquals({ best.chosen.exits, best.tie, best.chosen.val_top1 }, { { 1, 3 }, "cheapest", .75 })
  lu.assertStrContains(best.rule, "fewest MACs")
  lu.assertEquals({ best.network.exits[1].name, best.network.exits[2].name }, { "exit1", "exit3" })
  for _, s in ipairs(best.subsets) do
    local c = net:keep(s.exits):cost()
    lu.assertEquals({ s.params, s.macs }, { c.params, c.macs })
  end
  lu.assertEquals(#net.exits, 3)
  local text = tostring(best)
  lu.assertStrMatches(text, ".*\n1, 3 +75%.00 %% +100%.00 %% +[%d,]+ +[%d,]+  kept\n.*")
  lu.assertEquals(select(2, text:gsub("kept", "")), 1)
  lu.assertStrContains(text, best.rule)
end

function TestPrune.test_paper_rule_and_other_votes()
  local net, source, b = nets.vgg(), { logits = logits, labels = labels }, { .25, .35, .4 }
  local paper = ex.prune.exits(net, source, { tie = "paper", vote = b })
  lu.assertEquals({ paper.chosen.exits, paper.tie }, { { 1, 3 }, "paper" })
  local cheapest = ex.prune.exits(net, source, { vote = b })
  lu.assertEquals({ cheapest.chosen.exits, cheapest.tie }, { { 1, 2 }, "cheapest" })
  lu.assertAlmostEquals(cheapest.network.vote_weights[1], .25 / .6, 1e-15)
end

-- From images: the scores are those of the networks that keep would give.
function TestPrune.test_on_a_split()
  local net = nets.vgg()
  net.vote_weights = { 1 / 6, 2 / 6, 3 / 6 }
  local y = {}
  for n = 1, 150 do y[n] = n % 4 end
  local split = nets.split(nets.normal({ 150, 2, 12, 12 }, "images"), y)
  local best = ex.prune.exits(net, split)
  for _, s in ipairs(best.subsets) do
    local e = ex.evaluate(net:keep(s.exits), split)
    lu.assertEquals({ s.val_top1, s.val_top5 }, { e.top1, e.top5 }, tostring(s))
  end
  lu.assertEquals(ex.evaluate(best.network, split).top1, best.chosen.val_top1)
end

function TestPrune.test_refuses()
  local net = nets.vgg()
  local source = { logits = logits, labels = labels }
  lu.assertEquals(nets.message(ex.prune.exits, net, source, { tie = "first" }), 'prune.exits: tie must be "cheapest" or "paper", got first')
  lu.assertStrContains(nets.message(ex.prune.exits, net, source, { ties = "paper" }), "tie")
  lu.assertEquals(nets.message(ex.prune.exits, net, source, { vote = { .5, .5 } }), "vote weights: 2 numbers for 3 exits")
  lu.assertEquals(nets.message(ex.prune.exits, net:keep { 1, 2 }, source), "prune.exits: logits of 3 exits for a network with 2")
  lu.assertEquals(nets.message(ex.prune.exits, net, "validation"),
                  "prune.exits: expected a split of a data set, such as data.validation, got string")
end

os.exit(lu.LuaUnit.run())
