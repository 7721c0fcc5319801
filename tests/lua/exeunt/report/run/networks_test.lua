-- report/run/networks.lua: a row for each exit, the vote, the pruned network and the baseline.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local networks = require "exeunt.report.run.networks"
local runs = require "runs"

TestNetworks = {}

function TestNetworks.test_rows_and_points()
  local fig = networks { document = runs.document() }
  lu.assertEquals(fig.table.rows[3], { "exit 3", 0.8284, 0.8243 })
  lu.assertEquals(fig.table.rows[4], { "vote of all", 0.8217, 0.8158, 289150, 29129408, 1.48 })
  lu.assertEquals(fig.table.rows[5], { "pruned (exit 3)", 0.8284, 0.8243, 288170, 29128448, 1.15 })   -- validated as its subset
  lu.assertEquals(fig.table.rows[6][1], "baseline")
  lu.assertAlmostEquals(fig.series[2].x, { 56.91, 78.15, 82.43, 81.58, 82.43, 84.46 }, 1e-9)
  lu.assertEquals(fig.series[2].y, { 6, 5, 4, 3, 2, 1 })
  lu.assertAlmostEquals(fig.guides[1].x, 84.46, 1e-9)
end

function TestNetworks.test_without_baseline_and_pruning()
  local doc = runs.document()
  doc.baseline, doc.pruned = nil, nil
  local fig = networks { document = doc }
  lu.assertEquals({ #fig.table.rows, fig.guides }, { 4 })
  lu.assertNil(networks { document = {} })
end

os.exit(lu.LuaUnit.run())
