-- report/run/init.lua: facts, sentences and which figures a run has.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local run = require "exeunt.report.run"
local runs = require "runs"

TestRun = {}

local function names(r)
  local out = {}
  for i, fig in ipairs(r.figures) do out[i] = fig.name end
  return out
end

local function fact(r, name)
  for _, f in ipairs(r.facts) do if f[1] == name then return f[2] end end
end

function TestRun.test_facts_and_sentences()
  local r = run.report(runs.document(), {}, "/f")
  lu.assertEquals(fact(r, "knobs"), "epochs=3  lr=0.004  widths=32,64,128")
  lu.assertEquals(fact(r, "training"), "1m 02s for 3 epochs, 3900 images a second")
  lu.assertEquals(fact(r, "machine"), "a CPU, kernels avx2, 2 threads")
  local doc = runs.document()
  doc.train.epochs = 1
  lu.assertStrContains(fact(run.report(doc, {}, "/f"), "training"), "1m 02s for 1 epoch, ")
  lu.assertNil(fact(r, "state"))
  lu.assertEquals(#r.sentences, 3)
end

function TestRun.test_figures_of_each_kind_of_run()
  local log = runs.log({ "aep", "baseline" }, 3, 3)
  lu.assertEquals(names(run.report(runs.document(), log, "/f")),
    { "networks", "subsets", "accuracy-aep", "accuracy-baseline", "loss-aep", "loss-baseline", "rate" })
  local many = runs.log({ "a", "b", "c", "d", "e" }, 2, 3)
  lu.assertEquals(names(run.report(runs.cells(), many, "/f")), { "cells", "trainings", "rate" })
  lu.assertEquals(names(run.report(runs.paper(), {}, "/f")), { "paper-accuracy", "paper-params", "paper-macs", "paper-latency" })
end

function TestRun.test_a_run_that_goes_on()
  local r = run.report({ recipe = "x.lua", seed = 4, knobs = {} }, runs.log({ "train1" }, 1, 2), "/f")
  lu.assertEquals(names(r), { "accuracy", "loss" })
  lu.assertEquals(fact(r, "state"), "not finished: what there is so far")
end

function TestRun.test_plain_numbers()
  local r = run.report({ recipe = "x.lua", seed = 4, score = 0.25 }, { { step = 1, score = 0.5 }, { step = 2, score = 0.25 } }, "/f")
  lu.assertEquals(names(r), { "reported-score" })
  lu.assertEquals(r.tables[1].rows, { { "score", 0.25 } })
  lu.assertNil(fact(r, "state"))
end

os.exit(lu.LuaUnit.run())
