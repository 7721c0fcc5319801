-- report/run/cells.lua: mean and deviation by label.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local cells = require "exeunt.report.run.cells"
local runs = require "runs"

TestCells = {}

function TestCells.test_labels()
  local fig = cells { document = runs.cells() }
  local vote = fig.series[2]
  lu.assertAlmostEquals(vote.x[1], 81.5, 1e-9)
  lu.assertAlmostEquals(vote.high[1] - vote.low[1], 2 * math.sqrt(0.5), 1e-9)
  lu.assertFalse(fig.series[3].x[2])        -- the baseline prunes nothing
  lu.assertEquals(fig.table.rows[1], { "mix", 2, "80.50 +- 0.71 %", "81.50 +- 0.71 %", "82.43 +- 0.00 %" })
  lu.assertNil(cells { document = {} })
end

os.exit(lu.LuaUnit.run())
