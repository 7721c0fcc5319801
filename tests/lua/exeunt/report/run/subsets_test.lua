-- report/run/subsets.lua: every subset is a point, the front and what was kept are marked.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local runs = require "runs"
local subsets = require "exeunt.report.run.subsets"

TestSubsets = {}

function TestSubsets.test_points_and_front()
  local fig = subsets { document = runs.document() }
  lu.assertEquals(#fig.series[2].x, 5)
  lu.assertEquals(fig.series[1].x, { 7.451456, 18.289792, 29.128448 })        -- exits 1; 2; 3, in millions
  lu.assertEquals(fig.series[3].x, { 29.128448 })
  lu.assertStrContains(fig.x.title, "(million)")
  local notes = {}
  for i, row in ipairs(fig.table.rows) do notes[i] = row[6] end
  lu.assertEquals(notes, { "front kept", "front", "", "front", "" })
  lu.assertEquals(fig.marks[1][3], "1")
end

function TestSubsets.test_none()
  lu.assertNil(subsets { document = {} })
  lu.assertNil(subsets { document = { subsets = { { exits = { 1 }, macs = 1, val_top1 = 1 } } } })
end

os.exit(lu.LuaUnit.run())
