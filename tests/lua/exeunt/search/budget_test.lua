-- What of a budget is used, and why there is no more to do.
local lu = require "luaunit"
local budget = require "exeunt.search.budget"
local ex = require "exeunt"

TestBudget = {}

local function study(given)
  local space = require("exeunt.search.space").new(given.space or { x = ex.uniform(0, 1) })
  local sampler = require("exeunt.search.samplers").of(given.sampler)
  return { sampler = sampler, space = space, points = {}, seconds = given.seconds, epochs = given.epochs, file = given.file,
           most = function() return math.min(given.trials or math.huge, sampler.size and sampler:size(space) or math.huge) end }
end

local trials = { { number = 0, state = "complete", seconds = 2, steps = { { 1, 0.5 }, { 3, 0.4 } } },
                 { number = 2, state = "failed", seconds = 3, steps = {} } }

local MORE = "; a larger budget goes on (trials, seconds or epochs in the study's file, or --trials N)"

function TestBudget.test_seconds_and_epochs()
  lu.assertNil(budget.spent(study { trials = 1 }, trials))
  lu.assertNil(budget.spent(study { seconds = 6, epochs = 4 }, trials))
  lu.assertEquals(budget.spent(study { seconds = 5 }, trials), "5 of 5 seconds")
  lu.assertEquals(budget.spent(study { epochs = 2 }, trials), "3 of 2 epochs")
end

function TestBudget.test_why_there_is_no_more()
  lu.assertEquals(budget.ended(study { trials = 3 }, trials), "3 of 3 trials" .. MORE)          -- number 1 was withdrawn
  lu.assertEquals(budget.ended(study { trials = 9, epochs = 3, file = "a.lua" }, trials), "3 of 3 epochs"
                  .. MORE:gsub("the study's file", "a.lua"))
  local finite = { x = ex.int(1, 3) }
  lu.assertEquals(budget.ended(study { sampler = "grid", space = finite }, trials), "all 3 points of the grid have been tried")
  lu.assertEquals(budget.ended(study { trials = 9, space = finite }, trials), "all 3 points of the space have been tried")
  lu.assertEquals(budget.ended(study { trials = 9 }, trials), "the sampler tpe has no more points")
  lu.assertEquals(budget.ended(study { sampler = function() end }, {}), "the sampler gave no point for trial 0 (it returned nil)")
  lu.assertNil(budget.short(study { trials = 3 }, trials))
  lu.assertNil(budget.short(study { trials = 9, seconds = 1 }, trials))
end

os.exit(lu.LuaUnit.run())
