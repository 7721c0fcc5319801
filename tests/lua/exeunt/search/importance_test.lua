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

function TestImportance.test_failed_trials_are_left_out_and_few_refused()
  local space = Space.new { x = ex.uniform(0, 1) }
  local trials = trials_of(space, 1, function(p) return { p.x } end)
  for i = 8, 20 do trials[i].state, trials[i].values = i % 2 == 0 and "failed" or "running", nil end
  lu.assertErrorMsgEquals("importance: 7 usable trials are too few; it takes 8 that ended with a value",
                          importance, space, trials, "minimize")
end

os.exit(lu.LuaUnit.run())
