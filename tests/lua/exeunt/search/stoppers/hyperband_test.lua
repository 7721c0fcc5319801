-- hyperband_test.lua: brackets, their shares, and that they do not see each other.

local lu = require "luaunit"
local ex = require "exeunt"

TestHyperband = {}

-- Li et al. 2018, table 1: R = 81, eta = 3: brackets begin with 81, 34 (the formula with a ceiling), 15, 8 and 5 trials.
function TestHyperband.test_brackets_of_the_paper()
  local hyperband = ex.stopper.hyperband { most = 81, reduction = 3 }
  lu.assertEquals(hyperband.counts, { 81, 34, 15, 8, 5 })
  local firsts = {}
  for i, halving in ipairs(hyperband.halvings) do firsts[i] = halving.options.first end
  lu.assertEquals(firsts, { 1, 3, 9, 27, 81 })
end

function TestHyperband.test_trials_are_spread_in_proportion()
  local hyperband, counts = ex.stopper.hyperband { most = 81, reduction = 3 }, {}
  for number = 0, 1429 do
    local b = hyperband:bracket(number)
    counts[b] = (counts[b] or 0) + 1
  end
  for b = 0, 4 do lu.assertAlmostEquals(counts[b], 10 * hyperband.counts[b + 1], 6) end
end

function TestHyperband.test_brackets_do_not_see_each_other()
  local hyperband = ex.stopper.hyperband { most = 9, reduction = 3 }
  local first, other
  for number = 1, 100 do
    if not first and hyperband:bracket(number) == 0 then first = number end
    if not other and hyperband:bracket(number) == 1 then other = number end
  end
  local function look(number, against)
    local trial = { number = number, state = "running", steps = { { 1, 0.1 } } }
    local better = { number = against, state = "complete", steps = { { 1, 0.9 }, { 9, 0.9 } } }
    return hyperband:decide { trial = trial, trials = { better, trial }, step = 1, value = 0.1, direction = "maximize" }
  end
  lu.assertEquals(hyperband:bracket(0), 0)
  lu.assertEquals(look(first, 0), "stop")                       -- the same bracket: worse at rung 1
  lu.assertEquals(look(first, other), "go")                     -- the better one is of another bracket
  lu.assertEquals(look(other, 0), "go")                         -- its own first rung is 3
end

function TestHyperband.test_promotion_and_limit()
  local hyperband = ex.stopper.hyperband { most = 9, reduction = 3, promote = true }
  local trials, own = {}, {}
  for number = 0, 40 do
    if hyperband:bracket(number) == 1 then
      own[#own + 1] = number
      trials[#trials + 1] = { number = number, state = "paused", steps = { { 3, number / 100 } } }
    end
  end
  lu.assertEquals(hyperband:limit({ number = own[1], steps = {} }), 3)
  lu.assertNil(hyperband:limit(trials[1]))                      -- 9 is the whole
  lu.assertEquals(hyperband:promote(trials, "maximize"), own[#own])
  lu.assertEquals(hyperband:promote(trials, "minimize"), own[1])
  lu.assertEquals(hyperband:promote({ trials[2], trials[1] }, "maximize", true), own[2])        -- nothing more is begun: the best
  lu.assertNil(hyperband:promote({ trials[2], { number = 0, state = "complete", steps = {} } }, "maximize", true))
end

function TestHyperband.test_refusals()
  lu.assertErrorMsgEquals("stopper.hyperband: option 'most' is missing", ex.stopper.hyperband, {})
end

os.exit(lu.LuaUnit.run())
