-- asha_test.lua: rungs, who goes on in the stopping form, who is taken up again in the promotion form.

local lu = require "luaunit"
local ex = require "exeunt"

-- A trial with the values of steps 1, 2, ...
local function trial(number, state, ...)
  local steps = {}
  for i, value in ipairs { ... } do steps[i] = { i, value } end
  return { number = number, state = state, steps = steps }
end

local function decide(stopper, trials, number, direction)
  local own = trials[number + 1]
  local step, value = unpack(own.steps[#own.steps])
  return stopper:decide { trial = own, trials = trials, step = step, value = value, direction = direction or "maximize" }
end

TestAsha = {}

function TestAsha.test_rungs()
  local asha = ex.stopper.asha { reduction = 4, first = 2, most = 100 }
  lu.assertEquals({ asha:rung(0), asha:rung(1), asha:rung(2), asha:rung(3) }, { 2, 8, 32 })
  lu.assertNil(asha:rung(3))                                    -- 128
  lu.assertEquals(ex.stopper.asha({ reduction = 3 }):rung(4), 81)
end

-- Rung 1 with reduction 2: of n trials the best floor(n / 2) go on, at least one.
function TestAsha.test_stopping_form_by_hand()
  local asha = ex.stopper.asha { reduction = 2 }
  local trials = { trial(0, "running", 0.5) }
  lu.assertEquals(decide(asha, trials, 0), "go")                -- alone
  trials[2] = trial(1, "running", 0.4)
  lu.assertEquals(decide(asha, trials, 1), "stop")              -- second of two
  trials[3] = trial(2, "running", 0.6)
  lu.assertEquals(decide(asha, trials, 2), "go")                -- first of three
  trials[4] = trial(3, "running", 0.55)
  lu.assertEquals(decide(asha, trials, 3), "go")                -- second of four
  trials[5] = trial(4, "running", 0.55)
  lu.assertEquals(decide(asha, trials, 4), "stop")              -- the same value, but later: third of five
  lu.assertEquals(decide(asha, trials, 4, "minimize"), "stop")  -- 0.4, 0.5, 0.55 (3), 0.55: fourth of five
  lu.assertEquals(decide(asha, trials, 1, "minimize"), "go")
end

function TestAsha.test_between_rungs_nothing_ends()
  local asha = ex.stopper.asha { reduction = 4 }
  local trials = { trial(0, "complete", 0.9, 0.9, 0.9, 0.9), trial(1, "running", 0.95, 0.1, 0.1) }
  lu.assertEquals(decide(asha, trials, 1), "go")                -- step 3: rungs are 1, 4, 16
  trials[2].steps[4] = { 4, 0.1 }
  lu.assertEquals(decide(asha, trials, 1), "stop")
end

-- Steps that jump over a rung are judged by the first value after it.
function TestAsha.test_a_step_that_jumps_over_a_rung()
  local asha = ex.stopper.asha { reduction = 4 }
  local trials = { trial(0, "complete", 0.9, 0.9, 0.9, 0.9, 0.9), { number = 1, state = "running", steps = { { 3, 0.95 }, { 6, 0.2 } } } }
  lu.assertEquals(decide(asha, trials, 1), "stop")
  trials[2].steps[2][2] = 0.99
  lu.assertEquals(decide(asha, trials, 1), "go")
end

function TestAsha.test_a_value_that_is_no_number_ends()
  local trials = { trial(0, "running", 0 / 0) }
  lu.assertEquals(decide(ex.stopper.asha(), trials, 0), "stop")
end

-- Promotion with reduction 2: nine trials pause at rung 1.
function TestAsha.test_promotion_form_by_hand()
  local asha = ex.stopper.asha { reduction = 2, promote = true, most = 8 }
  local trials = { trial(0, "running", 0.5) }
  lu.assertEquals(asha:limit({ number = 0, steps = {} }), 1)
  lu.assertEquals(decide(asha, trials, 0), "pause")
  trials[1].state = "paused"
  lu.assertNil(asha:promote(trials, "maximize"))                -- floor(1 / 2) = 0
  trials[2] = trial(1, "paused", 0.7)
  lu.assertEquals(asha:promote(trials, "maximize"), 1)          -- the best of two
  lu.assertEquals(asha:limit(trials[2]), 2)
  lu.assertEquals(asha:promote(trials, "minimize"), 0)
  trials[2] = trial(1, "running", 0.7)                          -- taken up: it is no candidate any more
  lu.assertNil(asha:promote(trials, "maximize"))
  trials[2] = trial(1, "paused", 0.7, 0.8)                      -- at rung 2
  lu.assertNil(asha:promote(trials, "maximize"))                -- one of one there; at rung 1 floor(2 / 2) = 1 went on
  trials[3], trials[4] = trial(2, "paused", 0.6), trial(3, "paused", 0.1)
  lu.assertEquals(asha:promote(trials, "maximize"), 2)          -- second of four
  trials[3] = trial(2, "paused", 0.6, 0.9)
  lu.assertEquals(asha:promote(trials, "maximize"), 2)          -- the higher rung first: the best of two at rung 2
  lu.assertEquals(asha:limit(trials[3]), 4)
  lu.assertNil(asha:limit(trial(9, "running", 1, 2, 3, 4)))     -- most = 8: no rung after 4
end

-- Without `most` a trial is paused at its end too: what is as far as a complete one, when none is farther, has come to it.
function TestAsha.test_promotion_without_most()
  local asha = ex.stopper.asha { reduction = 2, promote = true }
  local trials = { trial(0, "running", 1, 2, 3, 4) }
  lu.assertEquals(decide(asha, trials, 0), "pause")             -- a rung, as far as one knows
  trials[1].state = "paused"
  trials[2], trials[3] = trial(1, "paused", 9, 9), trial(2, "failed", 9, 9, 9, 9)
  lu.assertEquals(asha:promote(trials, "maximize", true), 0)    -- none is complete: the best of those that are farthest
  lu.assertEquals(asha:promote({ trials[2] }, "maximize", true), 1)
  lu.assertEquals(ex.stopper.asha({ reduction = 2, promote = true, most = 8 }):promote({ trials[2] }, "maximize", true), 1)
  trials[4] = trial(3, "complete", 5, 5, 5, 5)
  lu.assertEquals(asha:promote(trials, "maximize", true), 0)    -- as far as the complete one
  trials[5] = trial(4, "paused", 5, 5, 5, 5)
  lu.assertEquals(asha:promote(trials, "maximize", true), 4)    -- the better one first
  trials[3].steps[5] = { 5, 1 }                                 -- farther than the complete one, which ended early
  lu.assertNil(asha:promote(trials, "maximize", true))
  lu.assertNil(ex.stopper.asha({ reduction = 2 }):promote(trials, "maximize", true))
end

function TestAsha.test_the_stopping_form_pauses_nothing()
  local asha = ex.stopper.asha { reduction = 2 }
  lu.assertNil(asha:promote({ trial(0, "paused", 0.1), trial(1, "paused", 0.2) }, "maximize"))
  lu.assertNil(asha:limit(trial(0, "running", 0.1)))
end

function TestAsha.test_refusals()
  lu.assertErrorMsgEquals("stopper.asha: reduction must be a number from 2 on, got 1", ex.stopper.asha, { reduction = 1 })
  lu.assertErrorMsgEquals("stopper.asha: most must be above first, got 3 and 3", ex.stopper.asha, { first = 3, most = 3 })
  lu.assertErrorMsgEquals("stopper.asha: promote must be true or false, got 1", ex.stopper.asha, { promote = 1 })
end

os.exit(lu.LuaUnit.run())
