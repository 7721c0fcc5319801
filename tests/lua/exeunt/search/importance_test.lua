-- importance_test.lua: shares that are known beforehand.

local lu = require "luaunit"
local ex = require "exeunt"
local Space = require "exeunt.search.space"
local importance = require "exeunt.search.importance"

TestImportance = {}

-- `times` trials at each point of a grid.
local function trials_of(space, times, f)
  local list, grid, number = {}, ex.sampler.grid { points = 20 }, 0
  for _ = 1, times do
    local i = 0
    while true do
      local params = grid:suggest { space = space, number = i }
      if not params then break end
      list[#list + 1] = { number = number, state = "complete", params = params, values = f(params) }
      i, number = i + 1, number + 1
    end
  end
  return list
end

local function shares(...)
  local by_name, sum = {}, 0
  local list = importance(...)
  for i, pair in ipairs(list) do
    by_name[pair[1]], sum = pair[2], sum + pair[2]
    if i > 1 then lu.assertTrue(list[i - 1][2] >= pair[2]) end
  end
  lu.assertAlmostEquals(sum, 1, 1e-12)
  return by_name
end

-- Four values each of a, b and c; the best eighth has a = 1 and b = 1 or 2. By hand:
--     a: (4 - 1)^2 / 4 + 3 / 4 = 3        b: 2 (2 - 1)^2 / 4 + 2 / 4 = 1        c: 0
-- (a little less, for the even observation).
function TestImportance.test_shares_by_hand()
  local four = { 1, 2, 3, 4 }
  local space = Space.new { a = ex.choice(four), b = ex.choice(four), c = ex.choice(four) }
  local trials = trials_of(space, 20, function(p) return { p.a == 1 and p.b <= 2 and 1 or 0 } end)
  local by_name = shares(space, trials, "maximize", 1, { share = 1 / 8 })
  lu.assertAlmostEquals(by_name.a, 0.75, 0.01)
  lu.assertAlmostEquals(by_name.b, 0.25, 0.01)
  lu.assertAlmostEquals(by_name.c, 0, 0.001)
end

function TestImportance.test_equal_parts_of_numbers_and_one_without_effect()
  local space = Space.new { x = ex.uniform(0, 1), y = ex.log(1e-3, 1), z = ex.int(1, 5) }
  local trials = trials_of(space, 1, function(p) return { p.x + (math.log10(p.y) + 3) / 3 } end)
  local by_name = shares(space, trials, "minimize")
  lu.assertAlmostEquals(by_name.x, 0.5, 0.02)
  lu.assertAlmostEquals(by_name.y, 0.5, 0.02)
  lu.assertTrue(by_name.z < 0.01)
end

function TestImportance.test_second_objective_and_direction()
  local space = Space.new { x = ex.uniform(0, 1), y = ex.uniform(0, 1) }
  local trials = trials_of(space, 1, function(p) return { p.x, (p.y - 0.5) ^ 2 } end)
  lu.assertTrue(shares(space, trials, "minimize", 1).x > 0.95)
  lu.assertTrue(shares(space, trials, "minimize", 2).y > 0.95)
  lu.assertTrue(shares(space, trials, "maximize", 2).y > 0.95)
end

-- `slope` has all the effect, but exists under one of two kinds that are equally good otherwise.
function TestImportance.test_conditional_knob()
  local space = Space.new { kind = ex.choice { "p", "q" }, slope = ex.only(ex.uniform(0, 1), { kind = "p" }), w = ex.uniform(0, 1) }
  local trials = trials_of(space, 2, function(p) return { p.slope and math.abs(p.slope - 0.9) or 0.5 } end)
  local by_name = shares(space, trials, "minimize")
  lu.assertTrue(by_name.slope > by_name.kind and by_name.kind > by_name.w)
end

-- `idle` changes nothing and exists under the worse of two kinds: the few of the best tenth that have it have few values of it by chance.
function TestImportance.test_that_a_knob_is_there_is_not_its_importance()
  local space = Space.new { kind = ex.choice { "p", "q" }, idle = ex.only(ex.uniform(0, 1), { kind = "q" }), w = ex.uniform(0, 1) }
  local trials = {}
  for i = 0, 399 do                         -- w and idle fill the interval evenly (additive recurrences)
    local kind, w = i % 2 == 1 and "q" or "p", i * 0.618034 % 1
    trials[i + 1] = { number = i, state = "complete", params = { kind = kind, w = w, idle = kind == "q" and i * 0.7548777 % 1 or nil },
                      values = { w + (kind == "q" and 0.19 or 0) } }
  end
  local list, count = importance(space, trials, "minimize")
  local by_name = {}
  for _, each in ipairs(list) do by_name[each[1]] = each end
  lu.assertEquals({ count, by_name.kind[3], by_name.idle[3], by_name.w[3] }, { 400, 400, 200, 400 })
  lu.assertTrue(by_name.w[2] > by_name.kind[2])
  lu.assertTrue(by_name.kind[2] > 3 * by_name.idle[2])
  lu.assertTrue(by_name.idle[2] < 0.03, by_name.idle[2])
end

-- What only few trials have is not judged.
function TestImportance.test_a_knob_that_few_trials_have()
  local space = Space.new { kind = ex.choice { "p", "q" }, rare = ex.only(ex.uniform(0, 1), { kind = "q" }) }
  local trials = {}
  for i = 0, 39 do
    local q = i < 7
    trials[i + 1] = { number = i, state = "complete", params = { kind = q and "q" or "p", rare = q and i / 7 or nil }, values = { i } }
  end
  local list = importance(space, trials, "minimize")
  lu.assertEquals(list, { { "kind", 1, 40 }, { "rare", 0, 7 } })
  trials[8].params = { kind = "q", rare = 0.5 }
  list = importance(space, trials, "minimize")
  lu.assertEquals(list[2][3] + list[1][3], 48)
  lu.assertTrue(list[2][2] > 0)
end

function TestImportance.test_failed_trials_are_left_out_and_few_refused()
  local space = Space.new { x = ex.uniform(0, 1) }
  local trials = trials_of(space, 1, function(p) return { p.x } end)
  for i = 8, 20 do trials[i].state, trials[i].values = i % 2 == 0 and "failed" or "running", nil end
  lu.assertErrorMsgEquals("importance: 7 usable trials are too few; it takes 8 that ended with a value",
                          importance, space, trials, "minimize")
end

os.exit(lu.LuaUnit.run())
