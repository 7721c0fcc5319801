-- measure.lua: what a ratio says, whatever the unit; which side is asked when; geometric means.

local lu = require "luaunit"
package.path = "bench/?.lua;" .. package.path
local measure = require "measure"

TestMeasure = {}

function TestMeasure.test_a_ratio_above_one_means_that_we_are_ahead()
  lu.assertEquals(measure.row("c", "images/s", { 20, 30, 40 }, "p", { 10, 10, 10 }).ratio, 3)
  lu.assertEquals(measure.row("c", "GFLOP/s", { 5 }, "p", { 10 }).ratio, 0.5)
  for _, unit in ipairs { "ms", "MiB", "us/image" } do lu.assertEquals(measure.row("c", unit, { 5 }, "p", { 10 }).ratio, 2) end
end

function TestMeasure.test_a_row()
  local row = measure.row("c", "ms", { 3, 1, 2 }, "p", { 3, 4, 20 })
  lu.assertEquals({ row.case, row.unit, row.ours, row.peer, row.theirs, row.ratio }, { "c", "ms", 2, "p", 4, 4 })
  row = measure.row("c", "ms", { 3, 1, 2 })
  lu.assertEquals({ row.ours, row.peer, row.theirs, row.ratio }, { 2, nil, nil, nil })
end

function TestMeasure.test_sides_take_turns()
  measure.rounds = 3
  local order = {}
  local rows = measure.take("c", "ms", { { name = "us", x = 1 }, { name = "a", x = 2 }, { name = "b", x = 4 } }, function(side)
    order[#order + 1] = side.name
    return side.x
  end)
  lu.assertEquals(table.concat(order, " "), "us a b b a us us a b")
  lu.assertEquals({ rows[1].peer, rows[1].ratio, rows[2].peer, rows[2].ratio }, { "a", 2, "b", 4 })
  lu.assertTrue(rows[1].busy >= 0 and rows[1].busy <= 3)
  rows = measure.take("c", "ms", { { name = "us", x = 1 } }, function(side) return side.x end)
  lu.assertEquals({ #rows, rows[1].ours, rows[1].peer }, { 1, 1, nil })
end

function TestMeasure.test_geometric_means()
  local rows = { { peer = "a", ratio = 2, busy = 1, rounds = 5 }, { peer = "b", ratio = 3, busy = 0, rounds = 5 },
                 { peer = "a", ratio = 8, busy = 0, rounds = 5 }, { ours = 1 } }
  local means = measure.mean("m", rows)
  lu.assertEquals({ #means, means[1].peer, means[1].unit, means[1].busy, means[1].rounds }, { 2, "a", "of 2", 1, 10 })
  lu.assertAlmostEquals(means[1].ratio, 4, 1e-12)
  lu.assertAlmostEquals(means[2].ratio, 3, 1e-12)
end

os.exit(lu.LuaUnit.run())
