-- report/run/loss.lua: what was trained and each exit's validation loss; a gap where a loss was no number.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local loss = require "exeunt.report.run.loss"
local runs = require "runs"

TestLoss = {}

function TestLoss.test_series()
  local lines = runs.log({ "aep" }, 3, 2)
  lines[2].loss = nil                       -- it was NaN: null in the log
  local fig = loss({ apart = true, trainings = { { name = "aep", lines = lines } } })[1]
  local titles = {}
  for i, s in ipairs(fig.series) do titles[i] = s.title end
  lu.assertEquals(titles, { "training (weighted sum)", "validation (weighted sum)", "exit 1 (validation)", "exit 2 (validation)" })
  lu.assertEquals(fig.series[1].y, { 2, false, 2 / 3 })
  lu.assertEquals(fig.series[4].y, { 2.3 / 2, 2.3 / 4, 2.3 / 6 })
  lu.assertEquals(fig.table.rows[2], { 2, nil, 1.05, 1.15, 0.575 })
end

function TestLoss.test_one_exit_and_many_trainings()
  local view = { apart = true, trainings = { { name = "a", lines = runs.log({ "a" }, 2, 1) } } }
  lu.assertEquals(#loss(view)[1].series, 2)
  view.apart = false
  lu.assertEquals(loss(view), {})
end

os.exit(lu.LuaUnit.run())
