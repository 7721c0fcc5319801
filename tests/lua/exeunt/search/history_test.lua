-- history_test.lua: which trial is better than which.

local lu = require "luaunit"
local history = require "exeunt.search.history"

TestHistory = {}

local function trial(number, state, value, more)
  local t = { number = number, state = state, values = value and { value } or nil }
  for k, v in pairs(more or {}) do t[k] = v end
  return t
end

function TestHistory.test_order_by_hand()
  local trials = {
    trial(0, "failed"), trial(1, "complete", 0.5), trial(2, "complete", 0.9), trial(3, "stopped", 0.95, { steps = { { 4, 0.95 } } }),
    trial(4, "stopped", 0.1, { steps = { { 1, 0.5 }, { 16, 0.1 } } }), trial(5, "complete", 0.99, { constraints = { -1, 2 } }),
    trial(6, "complete", 0.99, { constraints = { 1, 0.5 } }), trial(7, "complete", 0 / 0), trial(8, "complete", 0.9),
    trial(9, "paused", nil, { steps = { { 4, 0.96 } } }), trial(10, "complete", 0.2, { constraints = { 0 / 0 } }) }
  local rows = {}
  for i, t in ipairs(trials) do
    local class, a, b = history.rank(t, { "maximize" })
    rows[i] = { class = class, a = a, b = b, number = t.number }
  end
  table.sort(rows, history.before)
  local order = {}
  for i, row in ipairs(rows) do order[i] = row.number end
  lu.assertEquals(order, { 2, 8, 1, 4, 9, 3, 6, 5, 10, 0, 7 })
end

function TestHistory.test_losses()
  local t = trial(0, "complete", 3)
  lu.assertEquals(history.loss(t, { "minimize" }), 3)
  lu.assertEquals(history.loss(t, { "maximize" }), -3)
  lu.assertNil(history.loss(t, { "minimize", "minimize" }, 2))
  lu.assertEquals((history.rank(t, { "minimize", "minimize" })), history.FAILED)         -- one value for two objectives
  lu.assertEquals(history.violation(trial(0, "complete", 1, { constraints = { -5, 0.5, 2 } })), 2.5)
end

function TestHistory.test_lag()
  lu.assertNil(history.lag("x", nil))
  lu.assertEquals(history.lag("x", 3), 3)
  lu.assertErrorMsgEquals("x: lag must be a whole number from 1 on, got 0", history.lag, "x", 0)
end

os.exit(lu.LuaUnit.run())
