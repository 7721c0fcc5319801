-- report/run/curves.lua: series over epochs, their table and their axis.

local lu = require "luaunit"
local curves = require "exeunt.report.run.curves"

TestCurves = {}

local training = { name = "aep", lines = { { epoch = 1, loss = 2 }, { epoch = 2 }, { epoch = 3, loss = 1 } } }

function TestCurves.test_gaps_stay()
  local s = curves.series(training, { title = "loss" }, function(line) return line.loss end)
  lu.assertEquals({ s.x, s.y }, { { 1, 2, 3 }, { 2, false, 1 } })
  lu.assertNil(curves.series(training, {}, function(line) return line.none.such end))
end

function TestCurves.test_table()
  local a = { title = "a", x = { 1, 2 }, y = { 5, 6 } }
  local b = { title = "b", x = { 2, 3 }, y = { false, 8 } }
  lu.assertEquals(curves.table({ a, b }).rows, { { 1, 5 }, { 2, 6 }, { 3, nil, 8 } })
end

function TestCurves.test_names_and_axis()
  lu.assertEquals(curves.name("loss", training, { trainings = { 1 } }), "loss")
  lu.assertEquals(curves.name("loss", training, { trainings = { 1, 2 } }), "loss-aep")
  lu.assertEquals(curves.exit_title({ name = "exit2" }, 2), "exit 2")
  lu.assertEquals(curves.exit_title({ name = "aux" }, 2), "aux")
  lu.assertEquals({ curves.axis(training).low, curves.axis(training).high }, { 1, 3 })
  local one = curves.axis { lines = { { epoch = 4 } } }
  lu.assertEquals({ one.low, one.high }, { 3, 5 })
end

os.exit(lu.LuaUnit.run())
