-- report/study/history.lua: the best so far, either way; stopped trials and broken constraints apart.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local history = require "exeunt.report.study.history"
local views = require "views"

TestHistory = {}

function TestHistory.test_best_so_far()
  local view = views.make({ { 3, 9 }, { 1, 5 }, { 4, 7 }, { 2, 1 } }, { true, false })
  local first, second = unpack(history(view))
  lu.assertEquals({ first.series[1].x, first.series[1].y }, { { 0, 2, 3 }, { 3, 4, 4 } })
  lu.assertEquals(second.series[1].y, { 9, 5, 1, 1 })
  lu.assertEquals({ first.name, second.name }, { "history", "history-2" })
  lu.assertEquals(first.table.rows[2], { 1, "complete", 1, 3 })
end

function TestHistory.test_kinds_of_trials()
  local view = views.make({ { 3 }, { 8 }, { 4 } }, { true })
  view.trials[2].constraints = { 1 }
  table.insert(view.trials, { number = 3, state = "stopped", values = { 9 } })
  table.insert(view.trials, { number = 4, state = "failed" })
  local line, stopped, broke, done = unpack(history(view)[1].series)
  lu.assertEquals(history(view)[1].table.rows[2], { 1, "complete, breaks a constraint", 8, 3 })
  lu.assertEquals({ line.y, stopped.y, broke.y, done.y }, { { 3, 4, 4 }, { 9 }, { 8 }, { 3, 4 } })
end

function TestHistory.test_large_numbers_are_scaled()
  local fig = history(views.make({ { 3e7 }, { 2e7 } }, { false }))[1]
  lu.assertEquals(fig.series[4].y, { 30, 20 })
  lu.assertEquals(fig.y.title, "o1 (million, less is better)")
  lu.assertEquals(fig.table.rows[1][3], 3e7)
end

os.exit(lu.LuaUnit.run())
