-- report/study/init.lua: facts, the best trial, and which figures and tables a study has.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local json = require "exeunt.report.json"
local report = require "exeunt.report"
local studies = require "studies"

TestStudy = {}

local function names(r)
  local out = {}
  for i, fig in ipairs(r.figures) do out[i] = fig.name end
  return table.concat(out, " ")
end

local function fact(r, name)
  for _, f in ipairs(r.facts) do if f[1] == name then return f[2] end end
end

local SLICES = "parallel slice-batch slice-lr slice-weighting slice-widths slice-momentum curves"

function TestStudy.test_one_objective()
  local r = report.of_study(studies.make(40, 1))
  lu.assertEquals(names(r), "history importance " .. SLICES)
  lu.assertEquals(fact(r, "objective"), "maximize vote.val_top1")
  lu.assertEquals(fact(r, "sampler"), "tpe startup=10")
  lu.assertEquals(fact(r, "stopper"), "asha reduction=4")
  lu.assertEquals(fact(r, "budget"), "40 trials")
  lu.assertEquals(fact(r, "trials"), "40: 28 complete, 9 stopped, 2 failed, 1 running")
end

function TestStudy.test_two_objectives()
  local r = report.of_study(studies.make(40, 2))
  lu.assertEquals(names(r), "history history-2 front importance importance-2 " .. SLICES)
  lu.assertEquals(fact(r, "objective"), "maximize vote.val_top1, minimize pruned.macs")
  lu.assertEquals(#r.sentences, 3)
  lu.assertStrMatches(r.sentences[1], "%d+ of 28 complete trials are on the Pareto front: no other beats them in everything%.")
  lu.assertStrMatches(r.sentences[3], "The best by pruned.macs is trial %d+: vote.val_top1 = [%d.]+, pruned.macs = %d+; batch=%d+  lr=.*%.")
end

function TestStudy.test_the_best_and_tables()
  local study, trials = studies.make(40, 1)
  local best
  for _, t in ipairs(trials) do
    if t.state == "complete" and (not best or t.values[1] > best.values[1]) then best = t end
  end
  local r = report.of_study(study, trials)
  local said = ("The best of 28 complete trials is trial %d: vote.val_top1 = %.6g."):format(best.number, best.values[1])
  lu.assertEquals(r.sentences[1], said)
  lu.assertStrContains(r.sentences[2], ("batch=%d"):format(best.params.batch))
  lu.assertStrContains(r.sentences[3], ("To train it again: exeunt run 'recipes/02_<aep> & co.lua' batch=%d "):format(best.params.batch))
  best.run_dir = "runs/s/7"
  lu.assertStrContains(report.of_study(study, trials).sentences[3], "Its run is in runs/s/7. To train it again: exeunt run")
  lu.assertEquals({ r.tables[1].title, #r.tables[1].rows }, { "Failures", 2 })
  lu.assertEquals(r.tables[1].rows[1], { 16, "failed", 1, "loss is <NaN> & more" })
  lu.assertEquals({ r.tables[2].title, #r.tables[2].rows }, { "Trials", 40 })
end

function TestStudy.test_what_breaks_a_constraint_is_not_the_best()
  local study, trials = studies.make(40, 1)
  local first = tonumber(report.of_study(study, trials).sentences[1]:match "trial (%d+)")
  trials[first + 1].constraints = { 0.1 }
  local r = report.of_study(study, trials)
  lu.assertNotStrContains(r.sentences[1], ("trial %d:"):format(first))
  lu.assertStrContains(r.sentences[1], "The best of 27 complete trials that keep the constraints is trial ")
  lu.assertEquals(r.tables[2].rows[first + 1][2], "complete, breaks a constraint")
  lu.assertEquals(fact(r, "trials"), "40: 28 complete, 1 of them breaking a constraint, 9 stopped, 2 failed, 1 running")
end

function TestStudy.test_constraints_and_what_is_fixed()
  local study, trials = studies.make(3, 1)
  lu.assertNil(fact(report.of_study(study, trials), "constraints"))
  study.document.constraints, study.document.fixed = { "macs <= 1e6", "acc >= 0.5" }, { epochs = 2, widths = { 8, 16 } }
  local r = report.of_study(study, trials)
  lu.assertEquals({ fact(r, "constraints"), fact(r, "fixed") }, { "macs <= 1e6, acc >= 0.5", "epochs=2  widths=8,16" })
end

function TestStudy.test_nulls_and_nothing()
  local study, trials = studies.make(3, 1)
  trials[1].values = { json.null }
  trials[2].values, trials[2].params = json.null, json.null
  local r = report.of_study(study, trials)
  lu.assertEquals(r.sentences, { "No trial is complete yet." })
  study, trials = studies.make(3, 1)
  lu.assertStrContains(report.of_study(study, trials).sentences[4], "The importance of knobs is left out: 2 usable trials are too few")
  for i = 2, 3 do trials[i].state = "failed" end
  lu.assertStrContains(report.of_study(study, trials).sentences[1], "The best of 1 complete trial is trial 0:")
  trials[1].constraints = { 1 }
  lu.assertEquals(report.of_study(study, trials).sentences, { "No complete trial keeps the constraints." })
  r = report.of_study(study, {})
  lu.assertEquals({ #r.figures, #r.tables, fact(r, "trials") }, { 0, 0, "none yet" })
end

os.exit(lu.LuaUnit.run())
