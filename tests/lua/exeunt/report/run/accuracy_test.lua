-- report/run/accuracy.lua: exits and vote over epochs, the baseline's best across.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local accuracy = require "exeunt.report.run.accuracy"
local runs = require "runs"

TestAccuracy = {}

local function view(exits)
  return { apart = true, document = runs.document(), trainings = { { name = "aep", lines = runs.log({ "aep" }, 2, exits) } } }
end

function TestAccuracy.test_exits_and_vote()
  local fig = accuracy(view(2))[1]
  lu.assertEquals({ fig.series[1].title, fig.series[2].title, fig.series[3].title }, { "exit 1", "exit 2", "vote" })
  lu.assertAlmostEquals(fig.series[2].y[2], 70, 1e-9)
  lu.assertAlmostEquals(fig.series[3].y[1], 75, 1e-9)
  lu.assertAlmostEquals(fig.guides[1].y, 85.44, 1e-9)
  lu.assertEquals(fig.y.title, "validation top-1 (%)")
end

function TestAccuracy.test_one_exit_is_no_vote()
  local fig = accuracy(view(1))[1]
  lu.assertEquals({ #fig.series, fig.series[1].title, fig.guides }, { 1, "single exit" })
end

function TestAccuracy.test_without_validation()
  local v = view(1)
  for _, line in ipairs(v.trainings[1].lines) do line.exits[1].val_top1 = nil end
  local fig = accuracy(v)[1]
  lu.assertEquals(fig.y.title, "training top-1 (%)")
  lu.assertAlmostEquals(fig.series[1].y[1], 54, 1e-9)
end

os.exit(lu.LuaUnit.run())
