-- report/run/rate.lua: only rates that change, shared ones once.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local rate = require "exeunt.report.run.rate"
local runs = require "runs"

TestRate = {}

local function training(name, constant)
  local lines = runs.log({ name }, 3, 1)
  for _, line in ipairs(constant and lines or {}) do line.lr = 0.1 end
  return { name = name, lines = lines }
end

function TestRate.test_changing_rates()
  local fig = rate { trainings = { training "a", training("b", true), training "c" } }
  lu.assertEquals(#fig.series, 1)
  lu.assertEquals(fig.series[1].title, "a, c")
  lu.assertEquals(fig.series[1].y, { 0.004, 0.002, 0.004 / 3 })
  lu.assertNil(rate { trainings = { training("b", true) } })
end

function TestRate.test_many_that_share()
  local list = {}
  for i = 1, 6 do list[i] = training("t" .. i) end
  lu.assertEquals(rate { trainings = list }.series[1].title, "t1, t2, t3 and 3 more")
end

os.exit(lu.LuaUnit.run())
