-- report/study/importance.lua: bars by falling share, where there are trials enough.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local importance = require "exeunt.report.study.importance"
local views = require "views"

TestImportance = {}

-- A study whose scheme says nothing and whose lr decides all.
local function view(n)
  local values = {}
  for i = 1, n do values[i] = { i } end
  local v = views.make(values, { false })
  for i, t in ipairs(v.trials) do t.params.lr = 10 ^ (-4 + 4 * (i - 1) / n) end
  v.document.space = { knobs = v.knobs }
  return v
end

function TestImportance.test_bars()
  local fig = importance(view(40))[1]
  lu.assertEquals(fig.y.ticks, { { 2, "lr" }, { 1, "scheme" } })
  lu.assertTrue(fig.series[1].x[1] > 90)
  lu.assertAlmostEquals(fig.series[1].x[1] + fig.series[1].x[2], 100, 1e-9)
  lu.assertEquals(fig.table.rows[1], { "lr", fig.series[1].x[1], 40 })
end

function TestImportance.test_where_it_cannot_be_said()
  lu.assertEquals(importance(view(3)), {})
  local v = view(20)
  v.document.space = nil
  lu.assertEquals(importance(v), {})
end

os.exit(lu.LuaUnit.run())
