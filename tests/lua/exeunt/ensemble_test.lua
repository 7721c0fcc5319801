-- The weighted vote: by hand, and refused inputs.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestEnsemble = {}

-- Two exits, three samples, three classes. Votes with b = {.5, .5}:
--   sample 1: (2, 1, 0)+(0, 3, 0) -> (1, 2, 0)       sample 2: (0, 0, 1)+(1, 0, 0) -> (.5, 0, .5)
--   sample 3: (1, 1, 1)+(1, 1, 1) -> (1, 1, 1)
local logits = ex.tensor { { { 2, 1, 0 }, { 0, 0, 1 }, { 1, 1, 1 } }, { { 0, 3, 0 }, { 1, 0, 0 }, { 1, 1, 1 } } }

function TestEnsemble.test_votes()
  lu.assertEquals(ex.ensemble.vote(logits):to_list(), { { 1, 2, 0 }, { .5, 0, .5 }, { 1, 1, 1 } })
  lu.assertEquals(ex.ensemble.vote(logits, { .75, .25 }):to_list(), { { 1.5, 1.5, 0 }, { .25, 0, .75 }, { 1, 1, 1 } })
end

function TestEnsemble.test_score_by_hand()
  -- Predictions 2, 1 (the lower index of a tie), 1; the labels are 2, 3, 1 (as indices 1, 2, 0): two of three.
  local s = ex.ensemble.score(logits, ex.tensor({ 1, 2, 0 }, "int32"))
  lu.assertAlmostEquals(s.top1, 2 / 3, 1e-15)
  lu.assertEquals(s.top5, 1)
  lu.assertEquals(s.predicted:to_list(), { 1, 0, 0 })
  lu.assertEquals(s.confusion:to_list(), { { 1, 0, 0 }, { 0, 1, 0 }, { 1, 0, 0 } })
end

function TestEnsemble.test_ranks_beyond_the_fifth()
  local z = ex.tensor { { { 9, 8, 7, 6, 5, 4, 3 }, { 9, 8, 7, 6, 5, 4, 3 } } }
  local s = ex.ensemble.score(z, ex.tensor({ 4, 5 }, "int32"))
  lu.assertEquals({ s.top1, s.top5 }, { 0, .5 })
end

function TestEnsemble.test_cross_entropy()
  local ce = ex.ensemble.cross_entropy(logits[1], ex.tensor({ 0, 2, 1 }, "int32"))
  local e = math.exp
  local want = (-math.log(e(2) / (e(2) + e(1) + 1)) - math.log(e(1) / (2 + e(1))) + math.log(3)) / 3
  lu.assertAlmostEquals(ce, want, 1e-7)
end

function TestEnsemble.test_refuses()
  local y = ex.tensor({ 1, 2, 0 }, "int32")
  lu.assertEquals(nets.message(ex.ensemble.score, logits[1], y), "vote: logits must be (exits, samples, classes), got 2 axes")
  lu.assertEquals(nets.message(ex.ensemble.score, logits, ex.tensor({ 1 }, "int32")), "vote: 1 labels for 3 samples")
  lu.assertEquals(nets.message(ex.ensemble.score, logits, y, { 1 }), "vote weights: 1 numbers for 2 exits")
end

os.exit(lu.LuaUnit.run())
