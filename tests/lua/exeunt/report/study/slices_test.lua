-- report/study/slices.lua: a figure for each knob, logarithmic where it is, and a table for choices.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local slices = require "exeunt.report.study.slices"
local views = require "views"

TestSlices = {}

function TestSlices.test_points()
  local lr, scheme = unpack(slices(views.make({ { 1 }, { 4 }, { 2 } }, { true })))
  lu.assertEquals({ lr.name, lr.x.log, scheme.name }, { "slice-lr", true, "slice-scheme" })
  lu.assertAlmostEquals(lr.series[1].x, { 1e-3, 1e-2, 1e-4 }, 1e-12)         -- best first
  lu.assertEquals({ lr.series[1].y, lr.series[2].y }, { { 4, 2, 1 }, { 4 } })
  lu.assertEquals(scheme.table.rows, { { "asc", 2, 1.5, 2 }, { "mix", 1, 4, 4 } })
end

function TestSlices.test_several_objectives()
  lu.assertStrContains(slices(views.make({ { 1, 5 }, { 2, 6 } }, { true, false }))[1].about, "By o1 alone: complete trials over")
  lu.assertStrContains(slices(views.make({ { 1 }, { 2 } }, { true }))[1].about, "Complete trials over")
end

function TestSlices.test_a_knob_that_is_not_always_there()
  local view = views.make({ { 1 }, { 4 } }, { false })
  view.trials[1].params.lr = nil
  lu.assertEquals(#slices(view)[1].series[1].x, 1)
end

os.exit(lu.LuaUnit.run())
