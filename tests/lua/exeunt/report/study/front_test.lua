-- report/study/front.lua: who is on the front, and how its line goes.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local front = require "exeunt.report.study.front"
local views = require "views"

TestFront = {}

function TestFront.test_two_objectives()
  local view = views.make({ { 0.9, 30 }, { 0.7, 10 }, { 0.6, 20 }, { 0.8, 20 } }, { true, false })
  local fig = front(view)[1]
  lu.assertTrue(fig.room)                             -- the numbers beside its points stand on no axis
  lu.assertEquals({ fig.series[1].x, fig.series[1].y }, { { 10, 20, 30 }, { 0.7, 0.8, 0.9 } })
  lu.assertEquals({ fig.series[1].style, #fig.series[2].x }, { "steps", 4 })
  lu.assertEquals(fig.table.rows[1], { 1, 0.7, 10, "0.001", "mix" })
  lu.assertEquals(fig.marks[1][3], "1")
  lu.assertEquals(front(views.make({ { 1, 2 }, { 2, 1 } }, { true, true }))[1].series[1].style, "fsteps")
end

function TestFront.test_names_are_left_out_only_where_they_would_cover_another()
  local view = views.make({ { 0.5, 10 }, { 0.9, 10.1 }, { 0.501, 10.01 }, { 0.95, 40 } }, { true, false })
  local names = {}
  for i, mark in ipairs(front(view)[1].marks) do names[i] = mark[3] end
  lu.assertEquals(names, { "0", "1", "3" })          -- 2 lies on 0; 1 is above it
end

function TestFront.test_three_objectives_have_a_figure_each_and_no_line()
  local out = front(views.make({ { 1, 2, 3 }, { 3, 2, 1 } }, { true, true, true }))
  lu.assertEquals({ #out, out[1].name, out[2].name }, { 2, "front", "front-3" })
  lu.assertEquals(out[1].series[1].title, "trial")
end

function TestFront.test_one_objective() lu.assertNil(front(views.make({ { 1 } }, { true }))) end

os.exit(lu.LuaUnit.run())
