-- median_test.lua: the rule on numbers worked by hand.

local lu = require "luaunit"
local ex = require "exeunt"

TestMedian = {}

local function trial(number, state, ...)
  local steps = {}
  for i, value in ipairs { ... } do steps[i] = { i, value } end
  return { number = number, state = state, steps = steps }
end

local function decide(stopper, trials, own, direction)
  local step, value = unpack(own.steps[#own.steps])
  return stopper:decide { trial = own, trials = trials, step = step, value = value, direction = direction or "maximize" }
end

-- Averages up to step 2: 0.3, 0.5 and 0.8; the median is 0.5.
local finished = { trial(0, "complete", 0.2, 0.4, 0.9), trial(1, "complete", 0.4, 0.6, 0.7), trial(2, "complete", 0.8, 0.8, 0.8),
                   trial(3, "stopped", 0.99, 0.99), trial(4, "running", 0.99, 0.99) }

function TestMedian.test_rule_by_hand()
  local median = ex.stopper.median { startup = 3 }
  lu.assertEquals(decide(median, finished, trial(5, "running", 0.1, 0.49)), "stop")
  lu.assertEquals(decide(median, finished, trial(5, "running", 0.1, 0.5)), "go")       -- not worse than the median
  lu.assertEquals(decide(median, finished, trial(5, "running", 0.51, 0.2)), "go")      -- its best so far counts
  lu.assertEquals(decide(median, finished, trial(5, "running", 0.6, 0.51), "minimize"), "stop")
  lu.assertEquals(decide(median, finished, trial(5, "running", 0.1, 0.9), "minimize"), "go")
end

function TestMedian.test_even_count()
  local four = { finished[1], finished[2], finished[3], trial(6, "complete", 0.6, 0.6) }        -- the median is 0.55
  local median = ex.stopper.median { startup = 4 }
  lu.assertEquals(decide(median, four, trial(7, "running", 0, 0.54)), "stop")
  lu.assertEquals(decide(median, four, trial(7, "running", 0, 0.56)), "go")
end

function TestMedian.test_waits()
  local bad = trial(5, "running", 0, 0)
  lu.assertEquals(decide(ex.stopper.median { startup = 4 }, finished, bad), "go")
  lu.assertEquals(decide(ex.stopper.median { startup = 3, warmup = 3 }, finished, bad), "go")
  lu.assertEquals(decide(ex.stopper.median { startup = 4 }, finished, trial(5, "running", 0 / 0)), "stop")
end

function TestMedian.test_by_name_and_refusals()
  lu.assertEquals(ex.stopper.of({ median = { startup = 2 } }).options.startup, 2)
  lu.assertErrorMsgEquals("stopper.median: startup must be a number from 1 on, got 0", ex.stopper.median, { startup = 0 })
end

os.exit(lu.LuaUnit.run())
