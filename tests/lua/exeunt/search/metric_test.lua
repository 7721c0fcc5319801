-- Numbers in documents by path, and constraints.
local lu = require "luaunit"
local json = require "exeunt.report.json"
local metric = require "exeunt.search.metric"

TestMetric = {}

local DOC = json.decode '{"vote": {"val_top1": 0.5, "bad": null}, "exits": [{"top1": 0.25}], "values": {"loss": 3, "a.b": 4}, "name": "x"}'

function TestMetric.test_paths()
  lu.assertEquals(metric.get(DOC, "vote.val_top1"), 0.5)
  lu.assertEquals(metric.get(DOC, "exits.1.top1"), 0.25)
  lu.assertEquals(metric.get(DOC, "loss"), 3)           -- of a recipe's own table
  lu.assertEquals(metric.get(DOC, "values.loss"), 3)
  lu.assertEquals(metric.get(DOC, "a.b"), 4)
end

function TestMetric.test_what_is_no_number()
  lu.assertEquals({ metric.get(DOC, "vote.top5") }, { nil, "has no vote.top5" })
  lu.assertEquals({ metric.get(DOC, "vote.bad") }, { nil, "has vote.bad = NaN" })
  lu.assertEquals({ metric.get(DOC, "name") }, { nil, "has at name no number but a string" })
  lu.assertEquals({ metric.get(DOC, "name.x") }, { nil, "has no name.x" })
end

function TestMetric.test_constraints()
  local most, least = metric.constraint "pruned.macs <= 1e6", metric.constraint "acc >= 0.5"
  lu.assertEquals({ most.path, most.bound }, { "pruned.macs", 1e6 })
  lu.assertEquals({ metric.excess(most, 1e6), metric.excess(most, 2e6), metric.excess(least, 0.75) }, { 0, 1e6, -0.25 })
  for _, text in ipairs { "x", "x < 3", "x <= y", "x == 1" } do
    lu.assertErrorMsgContains("constraints are texts like", metric.constraint, text)
  end
end

os.exit(lu.LuaUnit.run())
