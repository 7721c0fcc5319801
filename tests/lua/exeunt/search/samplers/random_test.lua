-- random_test.lua: draws by seed, knob and number; a knob more changes no other.

local lu = require "luaunit"
local ex = require "exeunt"
local Space = require "exeunt.search.space"

TestRandom = {}

local function draw(space, seed, number)
  return ex.sampler.random():suggest { space = space, seed = seed, number = number, trials = {} }
end

function TestRandom.test_same_ask_same_answer_and_no_other()
  local space, seen = Space.new { lr = ex.log(1e-4, 1e-1), n = ex.int(1, 9) }, {}
  for seed = 1, 3 do
    for number = 0, 20 do
      local params = space:check(draw(space, seed, number))
      lu.assertEquals(draw(space, seed, number), params)
      lu.assertNil(seen[params.lr])
      seen[params.lr] = true
    end
  end
end

function TestRandom.test_a_knob_more_changes_no_other()
  local few, more = Space.new { lr = ex.log(1e-4, 1e-1) }, Space.new { a = ex.uniform(0, 1), lr = ex.log(1e-4, 1e-1) }
  for number = 0, 5 do lu.assertEquals(draw(few, 7, number).lr, draw(more, 7, number).lr) end
end

function TestRandom.test_values_are_spread_evenly_and_conditions_are_kept()
  local space = Space.new { c = ex.choice { "a", "b", "c" }, d = ex.only(ex.int(1, 2), { c = "b" }) }
  local counts = {}
  for number = 0, 2999 do
    local params = draw(space, 3, number)
    lu.assertEquals(params.d ~= nil, params.c == "b")
    counts[params.c] = (counts[params.c] or 0) + 1
  end
  for _, name in ipairs { "a", "b", "c" } do lu.assertAlmostEquals(counts[name], 1000, 100) end
end

os.exit(lu.LuaUnit.run())
