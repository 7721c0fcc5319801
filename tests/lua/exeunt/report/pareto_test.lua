-- report/pareto.lua: the front, beside the definition applied to every pair.

local lu = require "luaunit"
local pareto = require "exeunt.report.pareto"

TestPareto = {}

function TestPareto.test_by_hand()
  local points = { { 3, 0.9 }, { 1, 0.5 }, { 2, 0.5 }, { 2, 0.7 }, { 3, 0.9 }, { 4, 0.8 } }
  lu.assertEquals(pareto(points, { false, true }), { 2, 4, 1, 5 })      -- cheap and good; equal points stay
  lu.assertEquals(pareto(points, { true, true }), { 1, 5, 6 })
  lu.assertEquals(pareto({}, { true }), {})
  lu.assertEquals(pareto({ { 1 }, { 3 }, { 2 } }, { true }), { 2 })
end

local function slow(points, maximize)
  local out = {}
  for i, p in ipairs(points) do
    local kept = true
    for _, q in ipairs(points) do
      local all, some = true, false
      for k = 1, #p do
        local d = maximize[k] and q[k] - p[k] or p[k] - q[k]
        all, some = all and d >= 0, some or d > 0
      end
      if all and some then kept = false end
    end
    if kept then out[#out + 1] = i end
  end
  return out
end

function TestPareto.test_three_objectives()
  local points, state = {}, 5
  for i = 1, 60 do
    points[i] = {}
    for k = 1, 3 do
      state = state * 16807 % 2147483647
      points[i][k] = state % 8
    end
  end
  for _, maximize in ipairs { { true, true, false }, { false, false, false } } do
    local found = pareto(points, maximize)
    table.sort(found)
    lu.assertEquals(found, slow(points, maximize))
  end
end

os.exit(lu.LuaUnit.run())
