-- report/study/curves.lua: what trials reported, by what became of them.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local curves = require "exeunt.report.study.curves"
local views = require "views"

TestCurves = {}

function TestCurves.test_kinds()
  local view = views.make({ { 3 }, { 5 } }, { true })
  view.trials[1].steps, view.trials[2].steps = { { 1, 1 }, { 2, 3 } }, { { 1, 2 }, { 2, 5 } }
  table.insert(view.trials, { number = 2, state = "stopped", steps = { { 1, 0.5 } } })
  table.insert(view.trials, { number = 3, state = "running", steps = {} })
  local fig = curves(view)
  local stopped, other, broke, complete, best = unpack(fig.series)
  lu.assertEquals({ stopped.y, other.y, broke.y, complete.y, best.y }, { { 0.5, false }, {}, {}, { 1, 3, false }, { 2, 5, false } })
  view.trials[1].constraints = { 1 }
  fig = curves(view)
  lu.assertEquals({ fig.series[3].title, fig.series[3].y, fig.series[4].y }, { "breaks a constraint", { 1, 3, false }, {} })
  lu.assertEquals(fig.table.rows, { { 0, 1, 1 }, { 0, 2, 3 }, { 1, 1, 2 }, { 1, 2, 5 }, { 2, 1, 0.5 } })
  lu.assertEquals(fig.y.title, "o1")
end

function TestCurves.test_no_steps() lu.assertNil(curves(views.make({ { 1 } }, { true }))) end

os.exit(lu.LuaUnit.run())
