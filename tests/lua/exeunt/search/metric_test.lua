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
  lu.assertEquals({ metric.get(DOC, "vote.top5") }, { nil, "has no vote.top5", true })
  lu.assertEquals({ metric.get(DOC, "vote.bad") }, { nil, "has vote.bad = NaN", false })
  local doc = json.decode '{"values": {"loss": null, "a": {"b": null}, "c": null}, "infinite": {"loss": "inf", "a.b": "-inf"}}'
  lu.assertEquals({ metric.get(doc, "loss") }, { nil, "has loss = inf", false })
  lu.assertEquals({ metric.get(doc, "values.loss") }, { nil, "has values.loss = inf", false })
  lu.assertEquals({ metric.get(doc, "a.b") }, { nil, "has a.b = -inf", false })
  lu.assertEquals({ metric.get(doc, "c") }, { nil, "has c = NaN", false })
  lu.assertEquals({ metric.get(DOC, "name") }, { nil, "has at name no number but a string", true })
  lu.assertEquals({ metric.get(DOC, "name.x") }, { nil, "has no name.x", true })
end

function TestMetric.test_names()
  lu.assertEquals(metric.names(DOC), { "a.b", "exits.1.top1", "loss", "vote.val_top1" })
  local doc = json.decode '{"seed": 1, "knobs": {"lr": 1}, "environment": {"threads": 2}, "step": 3, "acc": 1}'
  lu.assertEquals(metric.names(doc), { "acc" })
end

function TestMetric.test_suggestions()
  lu.assertEquals(metric.suggest(DOC, "vote.val_topp1"), "; did you mean 'vote.val_top1'?")
  lu.assertEquals(metric.suggest(DOC, "exits.1.topp1"), "; did you mean 'exits.1.top1'?")
  lu.assertEquals(metric.suggest(DOC, "vote"), "; did you mean 'vote.val_top1'?")            -- what it begins
  lu.assertEquals(metric.suggest(DOC, "val_top1"), "; did you mean 'vote.val_top1'?")        -- what it ends
  lu.assertEquals(metric.suggest(json.decode '{"full": {"macs": 1}, "pruned": {"macs": 2}}', "macs"),
                  "; did you mean 'full.macs' or 'pruned.macs'?")
  lu.assertEquals(metric.suggest(DOC, "accuracy"), "; it has a.b, loss, vote.val_top1")
  lu.assertEquals(metric.suggest({ values = { a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = 0 } }, "accuracy"),
                  "; it has a, b, c, d, e, f, g, h and 2 more")
  lu.assertEquals(metric.suggest({ name = "x" }, "accuracy"), "; there is no number in it")
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
