-- nsga2_test.lua: fronts better than chance, conditions and constraints kept, the same answer to the same ask.

local lu = require "luaunit"
local ex = require "exeunt"
local Space = require "exeunt.search.space"
local searches = dofile "tests/support/searches.lua"

TestNsga2 = {}

local both = { "minimize", "minimize" }

-- ZDT1 (Zitzler, Deb, Thiele 2000) in 5 knobs: on the best front x2 .. x5 are 0.
local function zdt1(p)
  local g = 1 + 9 * (p.x2 + p.x3 + p.x4 + p.x5) / 4
  return { p.x1, g * (1 - math.sqrt(p.x1 / g)) }
end

local function away(trials)
  local sum = 0
  for i = #trials - 39, #trials do
    for k = 2, 5 do sum = sum + trials[i].params["x" .. k] / 160 end
  end
  return sum
end

function TestNsga2.test_nears_the_front()
  local space = searches.cube(5, ex.uniform(0, 1))
  local low, high = 0, 0                                    -- it is spread along the front
  for seed = 1, 4 do
    local trials = searches.run(ex.sampler.nsga2(), space, zdt1, 400, { seed = seed, directions = both })
    lu.assertTrue(away(trials) < 0.1, away(trials))         -- 0.5 by chance
    for i = 361, 400 do
      if trials[i].params.x1 < 0.3 then low = low + 1 elseif trials[i].params.x1 > 0.5 then high = high + 1 end
    end
  end
  lu.assertTrue(low >= 8 and high >= 8, low .. " and " .. high)
end

function TestNsga2.test_same_ask_same_answer_with_and_without_a_cache()
  local space = searches.cube(5, ex.uniform(0, 1))
  local with = searches.run(ex.sampler.nsga2 { population = 8 }, space, zdt1, 50, { directions = both })
  local without = searches.run(ex.sampler.nsga2 { population = 8 }, space, zdt1, 50, { directions = both, cache = false })
  lu.assertEquals(searches.keys(space, without), searches.keys(space, with))
end

function TestNsga2.test_conditions_are_kept()
  local space = Space.new { kind = ex.choice { "p", "q", "r" }, n = ex.int(1, 9), x = ex.only(ex.uniform(0, 1), { kind = { "p", "q" } }),
                            y = ex.only(ex.log(1, 10), { n = { 1, 2, 3 } }) }
  local trials = searches.run(ex.sampler.nsga2 { population = 10 }, space, function(p)     -- run() checks every point
    return { p.n + (p.x or 2), (p.y or 0) - p.n }
  end, 120, { directions = both })
  lu.assertEquals(#trials, 120)
end

-- x1 >= 0.6 is asked for: it is reached though the losses pull the other way.
function TestNsga2.test_constraints_come_first()
  local space, sampler, trials = searches.cube(3, ex.uniform(0, 1)), ex.sampler.nsga2 { population = 10 }, {}
  local feasible = 0
  for number = 0, 149 do
    local params = sampler:suggest { space = space, seed = 4, number = number, directions = { "minimize" }, trials = trials }
    trials[number + 1] = { number = number, state = "complete", params = params, values = { params.x1 }, constraints = { 0.6 - params.x1 } }
    if number >= 100 and params.x1 >= 0.6 then feasible = feasible + 1 end
  end
  lu.assertTrue(feasible >= 25, feasible .. " of 50")        -- 20 by chance, few without the constraint
end

function TestNsga2.test_refusals()
  lu.assertErrorMsgEquals("sampler.nsga2: population must be a whole number from 2 on, got 1", ex.sampler.nsga2, { population = 1 })
  lu.assertErrorMsgEquals("sampler.nsga2: mutation must be a share from 0 to 1, got 2", ex.sampler.nsga2, { mutation = 2 })
end

os.exit(lu.LuaUnit.run())
