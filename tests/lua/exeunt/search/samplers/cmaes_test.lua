-- cmaes_test.lua: the linear algebra, the tutorial's constants, convergence, determinism, refusals.

local lu = require "luaunit"
local ex = require "exeunt"
local Space = require "exeunt.search.space"
local Cmaes = require "exeunt.search.samplers.cmaes"
local searches = dofile "tests/support/searches.lua"

TestCmaes = {}

-- ((2, 1), (1, 2)) has 3 along (1, 1) and 1 along (1, -1).
function TestCmaes.test_eigen_by_hand_and_by_putting_it_together()
  local values = Cmaes.eigen { { 2, 1 }, { 1, 2 } }
  table.sort(values)
  lu.assertAlmostEquals(values[1], 1, 1e-12)
  lu.assertAlmostEquals(values[2], 3, 1e-12)
  local m = { { 4, 1, -2, 0.5 }, { 1, 3, 0, 1 }, { -2, 0, 5, 2 }, { 0.5, 1, 2, 1 } }
  local d, v = Cmaes.eigen(m)
  for i = 1, 4 do
    for j = 1, 4 do
      local sum, dot = 0, 0
      for k = 1, 4 do sum, dot = sum + v[i][k] * d[k] * v[j][k], dot + v[k][i] * v[k][j] end
      lu.assertAlmostEquals(sum, m[i][j], 1e-10)
      lu.assertAlmostEquals(dot, i == j and 1 or 0, 1e-10)
    end
  end
end

-- Population 6 in two dimensions: ln 3.5 - ln i = 1.2528, 0.5596, 0.1542 | -0.1335, -0.3567, -0.5390.
function TestCmaes.test_constants_by_hand()
  local k = Cmaes.constants(2, 6)
  local sum = 1.252763 + 0.559616 + 0.154151
  lu.assertAlmostEquals(k.weights[1], 1.252763 / sum, 1e-6)
  lu.assertAlmostEquals(k.mu, sum ^ 2 / (1.252763 ^ 2 + 0.559616 ^ 2 + 0.154151 ^ 2), 1e-5)
  lu.assertAlmostEquals(k.c_sigma, (k.mu + 2) / (k.mu + 7), 1e-12)
  lu.assertAlmostEquals(k.c_1, 2 / (3.3 ^ 2 + k.mu), 1e-12)
  local negative = 0
  for i = 4, 6 do
    lu.assertTrue(k.weights[i] < 0)
    negative = negative + k.weights[i]
  end
  local worst = { math.log(4 / 3.5), math.log(5 / 3.5), math.log(6 / 3.5) }
  local total, squares = worst[1] + worst[2] + worst[3], worst[1] ^ 2 + worst[2] ^ 2 + worst[3] ^ 2
  local mu_minus = total ^ 2 / squares
  lu.assertAlmostEquals(-negative, math.min(1 + k.c_1 / k.c_mu, 1 + 2 * mu_minus / (k.mu + 2), (1 - k.c_1 - k.c_mu) / (2 * k.c_mu)), 1e-9)
end

local function ellipsoid(p)
  return (p.x1 - 0.3) ^ 2 + 100 * (p.x2 - 0.8 + 0.5 * (p.x1 - 0.3)) ^ 2 + 10 * (p.x3 - 0.6) ^ 2
end

function TestCmaes.test_finds_the_bottom_of_a_turned_ellipsoid()
  local space = searches.cube(3, ex.uniform(0, 1))
  for seed = 1, 3 do
    lu.assertTrue(searches.best(searches.run(ex.sampler.cmaes(), space, ellipsoid, 400, { seed = seed })) < 1e-6)
  end
end

function TestCmaes.test_same_ask_same_answer_with_and_without_a_cache()
  local space = Space.new { x1 = ex.uniform(0, 1), x2 = ex.log(0.1, 1), x3 = ex.int(0, 5) }
  local with = searches.run(ex.sampler.cmaes(), space, ellipsoid, 60)
  lu.assertEquals(searches.keys(space, searches.run(ex.sampler.cmaes(), space, ellipsoid, 60, { cache = false })),
                  searches.keys(space, with))
end

-- A trial that ended late is taken into the distribution: the cache notices.
function TestCmaes.test_a_late_trial_changes_what_is_kept()
  local space, sampler, cache = searches.cube(2, ex.uniform(0, 1)), ex.sampler.cmaes { population = 4 }, {}
  local trials = searches.run(sampler, space, function(p) return p.x1 + p.x2 end, 12)
  local function ask(kept)
    return sampler:suggest { space = space, seed = 1, number = 20, directions = { "minimize" }, trials = trials, cache = kept }
  end
  trials[2].state, trials[2].kept, trials[2].values = "running", trials[2].values, nil
  local before = ask(cache)
  trials[2].state, trials[2].values = "complete", trials[2].kept
  lu.assertEquals(ask(cache), ask(nil))
  lu.assertNotEquals(ask(cache), before)
end

function TestCmaes.test_failed_trials_are_the_worst()
  local space, sampler, trials = searches.cube(2, ex.uniform(0, 1)), ex.sampler.cmaes(), {}
  for number = 0, 119 do
    local params = sampler:suggest { space = space, seed = 1, number = number, directions = { "minimize" }, trials = trials }
    local fails = params.x1 < 0.5
    trials[number + 1] = { number = number, params = params, state = fails and "failed" or "complete",
                           values = not fails and { params.x1 } or nil }
  end
  local least = math.huge
  for i = 61, 120 do
    if trials[i].values then least = math.min(least, trials[i].values[1]) end
  end
  lu.assertTrue(least < 0.52)
end

function TestCmaes.test_refusals()
  local function ask(space)
    ex.sampler.cmaes():suggest { space = space, seed = 1, number = 0, directions = { "minimize" }, trials = {} }
  end
  lu.assertErrorMsgEquals("sampler.cmaes: only for numbers, but c is a choice; take sampler.tpe", ask,
                          Space.new { c = ex.choice { 1, 2 }, x = ex.uniform(0, 1) })
  lu.assertErrorMsgEquals("sampler.cmaes: x exists only under another knob's value; take sampler.tpe", ask,
                          Space.new { n = ex.int(1, 2), x = ex.only(ex.uniform(0, 1), { n = 1 }) })
  lu.assertErrorMsgEquals("sampler.cmaes: population must be a whole number from 4 on, got 3", ex.sampler.cmaes, { population = 3 })
  lu.assertErrorMsgEquals("sampler.cmaes: sigma must be above 0 and at most 1, got 2", ex.sampler.cmaes, { sigma = 2 })
end

os.exit(lu.LuaUnit.run())
