-- report/study/parallel.lua: a line a trial, the best fifth last and boldest; knobs that a trial lacks are passed below.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local parallel = require "exeunt.report.study.parallel"
local views = require "views"

TestParallel = {}

function TestParallel.test_lines()
  local values = {}
  for i = 1, 5 do values[i] = { i / 10 } end
  local fig = parallel(views.make(values, { true }))
  local best = fig.series[5]
  lu.assertEquals({ best.title, best.x }, { "best fifth", { 1, 2, 3, 3 } })
  lu.assertEquals({ best.y[1], best.y[2], best.y[3], best.y[4] }, { 1, 0, 1, false })        -- lr 1, asc, the best value
  lu.assertEquals(fig.series[1].y[3], 0)
  lu.assertEquals(fig.x.ticks, { { 1, "lr (log)" }, { 2, "scheme" }, { 3, "o1" } })
end

function TestParallel.test_absent_knobs()
  local view = views.make({ { 1 }, { 2 } }, { false })
  view.trials[1].params.scheme = nil
  local fig = parallel(view)
  lu.assertTrue(fig.series[5].y[2] < 0)
  lu.assertEquals(fig.series[3].y[2], 1)
  lu.assertEquals(fig.marks[#fig.marks][3], "not used")
end

-- Of several objectives it shows the first, and says so; of many choices some have their text.
function TestParallel.test_several_objectives_and_many_choices()
  local view = views.make({ { 1, 5 }, { 2, 6 } }, { true, false })
  lu.assertStrContains(parallel(view).about, "the best fifth by o1 alone.")
  lu.assertNotStrContains(parallel(views.make({ { 1 }, { 2 } }, { true })).about, "alone")
  local values, texts = {}, {}
  for i = 1, 40 do values[i] = "v" .. i end
  view.knobs = { { name = "k", kind = "choice", values = values } }
  for _, mark in ipairs(parallel(view).marks) do texts[#texts + 1] = mark[3]:match "^v.*" end
  lu.assertEquals({ #texts, texts[1], texts[2] }, { 14, "v1", "v4" })
end

function TestParallel.test_too_few() lu.assertNil(parallel(views.make({ { 1 } }, { true }))) end

os.exit(lu.LuaUnit.run())
