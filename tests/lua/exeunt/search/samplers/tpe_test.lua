-- tpe_test.lua: better than chance, the same answer to the same ask, running trials kept away from, finite spaces used up.

local lu = require "luaunit"
local ex = require "exeunt"
local Space = require "exeunt.search.space"
local searches = dofile "tests/support/searches.lua"

TestTpe = {}

local function branin(p)
  return (p.y - 5.1 / (4 * math.pi ^ 2) * p.x ^ 2 + 5 / math.pi * p.x - 6) ^ 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(p.x) + 10
end

local plane = Space.new { x = ex.uniform(-5, 10), y = ex.uniform(0, 15) }

local function mixed(p)
  local at = p.kind == "sgd" and -1 or -3
  return (math.log10(p.lr) - at) ^ 2 + (p.momentum and (p.momentum - 0.9) ^ 2 or 0.05) + 0.1 * (p.depth - 4) ^ 2
end

local mixed_space = Space.new { kind = ex.choice { "sgd", "adam" }, lr = ex.log(1e-5, 1), depth = ex.int(1, 6),
                                momentum = ex.only(ex.uniform(0, 0.99), { kind = "sgd" }) }

function TestTpe.test_clearly_better_than_random()
  local tpe, random = ex.sampler.tpe(), ex.sampler.random()
  for _, case in ipairs { { plane, branin, 0.397887 }, { mixed_space, mixed, 0 } } do
    local ours = searches.mean_best(tpe, case[1], case[2], 50, 10) - case[3]
    local theirs = searches.mean_best(random, case[1], case[2], 50, 10) - case[3]
    lu.assertTrue(ours < 0.6 * theirs, ("%g against %g"):format(ours, theirs))
  end
end

function TestTpe.test_same_ask_same_answer_with_and_without_a_cache()
  for _, case in ipairs { { plane, branin }, { mixed_space, mixed } } do
    local with = searches.run(ex.sampler.tpe(), case[1], case[2], 40)
    lu.assertEquals(searches.keys(case[1], searches.run(ex.sampler.tpe(), case[1], case[2], 40, { cache = false })),
                    searches.keys(case[1], with))
    lu.assertNotEquals(searches.run(ex.sampler.tpe(), case[1], case[2], 15, { seed = 2 })[15].params, with[15].params)
  end
end

-- Three workers: trials run, then end in another order, in the same tables or in new ones; the cache changes no answer.
function TestTpe.test_a_cache_follows_trials_that_end()
  local tpe, trials, cache, finish = ex.sampler.tpe(), {}, {}, 0
  local function ask(number, kept)
    return tpe:suggest { space = mixed_space, seed = 5, number = number, directions = { "minimize" }, trials = trials, cache = kept }
  end
  for number = 0, 44 do
    local params = ask(number, cache)
    lu.assertEquals(ask(number, nil), params)
    trials[number + 1] = { number = number, state = "running", params = params }
    local ended = trials[number % 3 == 0 and number - 1 or number - 2]
    if ended and ended.state == "running" then
      finish = finish + 1
      local state, values = number % 7 == 0 and "failed" or "complete", number % 7 ~= 0 and { mixed(ended.params) } or nil
      if number % 2 == 0 then
        trials[ended.number + 1] = { number = ended.number, params = ended.params, state = state, values = values, finish = finish }
      else
        ended.state, ended.values, ended.finish = state, values, finish
      end
    end
  end
  lu.assertTrue(finish > 25)
end

function TestTpe.test_turning_values_and_direction_round_changes_nothing()
  local down = searches.run(ex.sampler.tpe(), plane, branin, 30)
  local up = searches.run(ex.sampler.tpe(), plane, function(p) return -branin(p) end, 30, { directions = { "maximize" } })
  lu.assertEquals(searches.keys(plane, up), searches.keys(plane, down))
end

-- Eight asks at once: with the earlier ones running, later ones keep further away from them than if they were not known.
function TestTpe.test_running_trials_are_kept_away_from()
  local tpe, line = ex.sampler.tpe { candidates = 64 }, searches.cube(2, ex.uniform(0, 1))
  local function nearest(liar)
    local sum = 0
    for seed = 1, 12 do
      local trials = searches.run(tpe, line, function(p) return (p.x1 - 0.4) ^ 2 + (p.x2 - 0.6) ^ 2 end, 30, { seed = seed })
      local made = {}
      for number = 30, 37 do
        local params = tpe:suggest { space = line, seed = seed, number = number, directions = { "minimize" }, trials = trials }
        if liar then trials[#trials + 1] = { number = number, state = "running", params = params } end
        local least = math.huge
        for _, other in ipairs(made) do least = math.min(least, math.abs(params.x1 - other.x1) + math.abs(params.x2 - other.x2)) end
        if #made > 0 then sum = sum + least end
        made[#made + 1] = params
      end
    end
    return sum
  end
  lu.assertTrue(nearest(true) > 1.1 * nearest(false))
end

function TestTpe.test_a_finite_space_is_used_up_without_a_point_twice()
  local space = Space.new { a = ex.int(1, 4), b = ex.choice { "x", "y", "z" }, c = ex.only(ex.int(1, 3), { b = "x" }) }
  local trials = searches.run(ex.sampler.tpe { startup = 4 }, space, function(p) return p.a end, 100)
  local seen = {}
  for _, key in ipairs(searches.keys(space, trials)) do
    lu.assertNil(seen[key])
    seen[key] = true
  end
  lu.assertEquals(#trials, space:size())
  lu.assertEquals(#trials, 4 * 5)
end

-- All failed where x > 5, and it is the others that are followed.
function TestTpe.test_failed_trials_are_avoided()
  local tpe, trials, above = ex.sampler.tpe(), {}, 0
  for number = 0, 59 do
    local params = tpe:suggest { space = plane, seed = 3, number = number, directions = { "minimize" }, trials = trials }
    local fails = params.x > 5
    if fails and number >= 30 then above = above + 1 end
    trials[number + 1] = { number = number, params = params, finish = number + 1, state = fails and "failed" or "complete",
                           values = not fails and { branin(params) } or nil }
  end
  lu.assertTrue(above <= 6, above .. " of 30 fail")         -- a third by chance
end

-- Two objectives, (x1, 1 - x1) + the same penalty: good points are those without penalty.
function TestTpe.test_several_objectives()
  local space, sum = searches.cube(3, ex.uniform(0, 1)), { tpe = 0, random = 0 }
  for name in pairs(sum) do
    local trials = searches.run(ex.sampler[name](), space, function(p)
      local penalty = (p.x2 - 0.3) ^ 2 + (p.x3 - 0.7) ^ 2
      return { p.x1 + penalty, 1 - p.x1 + penalty }
    end, 60, { directions = { "minimize", "minimize" } })
    for i = 31, 60 do sum[name] = sum[name] + (trials[i].values[1] + trials[i].values[2] - 1) end
  end
  lu.assertTrue(sum.tpe < 0.5 * sum.random)
end

function TestTpe.test_refusals()
  lu.assertErrorMsgEquals("sampler.tpe: startup must be a whole number from 1 on, got 0", ex.sampler.tpe, { startup = 0 })
  lu.assertErrorMsgEquals("sampler.tpe: lag must be a whole number from 1 on, got 1.5", ex.sampler.tpe, { lag = 1.5 })
  lu.assertErrorMsgContains("did you mean 'candidates'", ex.sampler.tpe, { candidate = 3 })
  lu.assertEquals(ex.sampler.tpe({ lag = 4 }).lag, 4)
end

os.exit(lu.LuaUnit.run())
