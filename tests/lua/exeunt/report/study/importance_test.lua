-- report/study/importance.lua: bars by falling share, where search/importance.lua says something.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local importance = require "exeunt.report.study.importance"
local views = require "views"

TestImportance = {}

local function view(n)
  local values = {}
  for i = 1, n do values[i] = { i } end
  local v = views.make(values, { false })
  v.document.space = { knobs = v.knobs }
  return v
end

function TestImportance:setUp() self.search = package.searchpath end
function TestImportance:tearDown()
  package.searchpath = self.search
  package.loaded["exeunt.search.importance"], package.loaded["exeunt.search.space"] = nil, nil
end

function TestImportance:test_bars()
  package.searchpath = function() return "there" end
  package.loaded["exeunt.search.space"] = { from_document = function(doc) return doc end }
  package.loaded["exeunt.search.importance"] = function(space, trials, direction, index)
    lu.assertEquals({ #space.knobs, #trials, direction, index }, { 2, 10, "minimize", 1 })
    return { { "scheme", 0.25 }, { "lr", 0.75 } }
  end
  local fig = importance(view(10))[1]
  lu.assertEquals({ fig.series[1].x, fig.series[1].y }, { { 75, 25 }, { 2, 1 } })
  lu.assertEquals(fig.y.ticks, { { 2, "lr" }, { 1, "scheme" } })
  lu.assertEquals(fig.table.rows, { { "lr", 75 }, { "scheme", 25 } })
end

function TestImportance:test_where_it_cannot_be_said()
  lu.assertEquals(importance(view(3)), {})
  package.searchpath = function() return nil end
  lu.assertEquals(importance(view(20)), {})
end

os.exit(lu.LuaUnit.run())
