-- pareto_test.lua: fronts and crowding worked by hand, and against the definition on random points.

local lu = require "luaunit"
local pareto = require "exeunt.search.pareto"
local Stream = require "exeunt.search.stream"

TestPareto = {}

function TestPareto.test_by_hand()
  local points = { { 1, 5 }, { 2, 3 }, { 4, 1 }, { 3, 4 }, { 5, 5 }, { 2, 3 } }
  lu.assertEquals(pareto.fronts(points), { { 1, 2, 6, 3 }, { 4 }, { 5 } })
  lu.assertEquals(pareto.fronts(points, 3), { { 1, 2, 6, 3 } })
  lu.assertTrue(pareto.dominates({ 1, 1 }, { 1, 2 }))
  lu.assertFalse(pareto.dominates({ 1, 1 }, { 1, 1 }))
  lu.assertFalse(pareto.dominates({ 1, 3 }, { 2, 2 }))
  -- Of (1,5) (2,3) (4,1): the middle's neighbours are 3 of 3 and 4 of 4 apart.
  lu.assertEquals(pareto.crowding(points, { 1, 2, 3 }), { math.huge, 2, math.huge })
end

function TestPareto.test_fronts_follow_the_definition()
  for losses = 1, 3 do
    local stream, points = Stream.new(losses, "pareto", 0), {}
    for i = 1, 60 do
      points[i] = {}
      for k = 1, losses do points[i][k] = stream:integer(8) end
    end
    local rank = {}
    for level, front in ipairs(pareto.fronts(points)) do
      for _, i in ipairs(front) do rank[i] = level end
    end
    for i = 1, 60 do                        -- one more than the worst of those that dominate it
      local worst = 0
      for j = 1, 60 do
        if pareto.dominates(points[j], points[i]) then worst = math.max(worst, rank[j]) end
      end
      lu.assertEquals(rank[i], worst + 1)
    end
  end
end

os.exit(lu.LuaUnit.run())
