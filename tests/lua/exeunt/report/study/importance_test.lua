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
  lu.assertEquals(importance.why_not(view(3)),
                  "The importance of knobs is left out: 3 usable trials are too few; it takes 8 that ended with a value.")
  lu.assertStrContains(importance.why_not(view(1)), "left out: 1 usable trial is too few; it takes 8")
  lu.assertNil(importance.why_not(view(20)))
  local v = view(20)
  v.document.space = nil
  lu.assertEquals(importance(v), {})
end

-- The same trials count as for `exeunt importance`: stopped ones too, as worse.
function TestImportance.test_which_trials_count()
  local v = view(12)
  for i = 5, 12 do v.trials[i].state, v.trials[i].steps, v.trials[i].values = "stopped", { { 1, i } }, { i } end
  v.done = { unpack(v.trials, 1, 4) }
  local fig = importance(v)[1]
  local list, count, early = require "exeunt.search.importance"(require("exeunt.search.space").from_document(v.document.space),
                                                               v.trials, "minimize")
  lu.assertEquals({ fig.table.rows[1], count, early }, { { list[1][1], 100 * list[1][2], list[1][3] }, 12, 8 })
  lu.assertStrContains(fig.about, "over 12 trials")
  lu.assertStrContains(fig.about, "8 of the 12 trials were ended before their end: they count as worse than the complete ones.")
  lu.assertStrContains(fig.about, "Of fewer than 50 trials these shares are rough")
end

-- What too few trials have is no bar of 0.
function TestImportance.test_a_knob_that_cannot_be_judged()
  local v = view(40)
  for i = 4, 40 do v.trials[i].params.scheme = nil end
  local fig = importance(v)[1]
  lu.assertEquals({ fig.y.ticks, #fig.series[1].x, fig.y.high }, { { { 1, "lr" } }, 1, 1.6 })
  lu.assertEquals({ fig.table.rows[2][1], fig.table.rows[2][2], fig.table.rows[2][3] }, { "scheme", nil, 3 })
  lu.assertStrContains(fig.about, "Too few trials have scheme to say: it takes 8.")
end

os.exit(lu.LuaUnit.run())
