-- report/run/trainings.lua: a curve for each of many trainings.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local runs = require "runs"
local trainings = require "exeunt.report.run.trainings"

TestTrainings = {}

function TestTrainings.test_curves()
  local view = { apart = false, trainings = {} }
  for i, name in ipairs { "a", "b", "c", "d", "e" } do view.trainings[i] = { name = name, lines = runs.log({ name }, i, 2) } end
  local fig = trainings(view)
  lu.assertEquals(#fig.series, 5)
  lu.assertEquals(#fig.series[5].y, 5)
  lu.assertEquals(#fig.table.rows, 5)
  lu.assertAlmostEquals(fig.table.rows[3][4], 85, 1e-9)                     -- epoch 3 of c; a and b have ended
  lu.assertNil(fig.table.rows[3][2])
  view.apart = true
  lu.assertNil(trainings(view))
end

os.exit(lu.LuaUnit.run())
