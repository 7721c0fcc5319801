-- Which trials are best, of one objective and of two.
local lu = require "luaunit"
local front = require "exeunt.search.front"

TestFront = {}

local function trial(number, values, constraints, state)
  return { number = number, state = state or "complete", values = values, constraints = constraints }
end

local function numbers(list, directions)
  local found = {}
  for i, t in ipairs(front.of(list, directions)) do found[i] = t.number end
  return found
end

function TestFront.test_one_objective()
  local list = { trial(0, { 3 }), trial(1, nil, nil, "failed"), trial(2, { 1 }), trial(3, { 1 }), trial(4, { 0 }, nil, "stopped"),
                 trial(5, { 9 }, { 0, 0.5 }) }
  lu.assertEquals(numbers(list, { "minimize" }), { 2 })         -- the first of equal ones
  lu.assertEquals(numbers(list, { "maximize" }), { 0 })         -- 5 breaks a constraint
  lu.assertEquals(numbers({}, { "minimize" }), {})
  lu.assertEquals(numbers({ trial(0, { 1 }, { 0 / 0 }), trial(1, { 2 }, { -1 }) }, { "minimize" }), { 1 })   -- NaN keeps no constraint
end

function TestFront.test_two_objectives()
  local list = { trial(0, { 1, 5 }), trial(1, { 2, 5 }), trial(2, { 1, 6 }), trial(3, { 3, 3 }), trial(4, { 9, 1 }, { 0.5 }) }
  lu.assertEquals(numbers(list, { "maximize", "minimize" }), { 3 })
  lu.assertEquals(numbers(list, { "minimize", "minimize" }), { 0, 3 })
end

os.exit(lu.LuaUnit.run())
