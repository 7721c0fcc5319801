-- report/run/reported.lua: a figure for each name that a recipe reported.

local lu = require "luaunit"
local reported = require "exeunt.report.run.reported"

TestReported = {}

function TestReported.test_names()
  local out = reported { reported = { { step = 1, score = 0.5, ["a<b"] = 2 }, { step = 2, score = 0.7, word = "x" }, { score = 1 } } }
  lu.assertEquals({ out[1].name, out[2].name }, { "reported-a-b", "reported-score" })
  lu.assertEquals({ out[2].series[1].x, out[2].series[1].y }, { { 1, 2, 3 }, { 0.5, 0.7, 1 } })
  lu.assertEquals(out[2].table.rows[2], { 2, 0.7 })
  lu.assertEquals(reported { reported = {} }, {})
end

os.exit(lu.LuaUnit.run())
