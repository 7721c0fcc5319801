-- report/run/paper.lua: a figure for each measure, with the paper's own where it has one.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local paper = require "exeunt.report.run.paper"
local runs = require "runs"

TestPaper = {}

function TestPaper.test_measures()
  local out = paper { document = runs.paper() }
  lu.assertEquals({ #out, out[1].name, out[4].name }, { 4, "paper-accuracy", "paper-latency" })
  lu.assertEquals(out[1].series[1].x, { 12, 5 })
  lu.assertEquals({ out[1].series[1].low[1], out[1].series[1].high[1] }, { 9, 15 })
  lu.assertNil(out[1].series[1].low[2])     -- one cell has no interval
  lu.assertEquals(out[3].series[2].x, { -17.9, false })
  lu.assertEquals(out[1].y.ticks, { { 2, "tr 64 mix" }, { 1, "tr full asc" } })
  lu.assertNil(paper { document = {} })
end

os.exit(lu.LuaUnit.run())
