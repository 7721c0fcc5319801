-- init_test.lua: stoppers by name, by table.

local lu = require "luaunit"
local ex = require "exeunt"

TestStoppers = {}

function TestStoppers.test_what_names_a_stopper()
  lu.assertNil(ex.stopper.of(nil))
  lu.assertEquals(ex.stopper.of("asha").options.reduction, 4)
  lu.assertEquals(ex.stopper.of({ hyperband = { most = 9 } }).options.most, 9)
  local made = ex.stopper.median()
  lu.assertIs(ex.stopper.of(made), made)
end

function TestStoppers.test_refusals()
  lu.assertErrorMsgContains("stop: no stopper 'ashe'; did you mean 'asha'?", ex.stopper.of, "ashe")
  lu.assertErrorMsgContains("expected one name with its options", ex.stopper.of, { asha = {}, median = {} })
end

function TestStoppers.test_a_stopper_of_ones_own()
  lu.assertErrorMsgContains("stop: it must be one of ex.stopper (asha, hyperband, median), or a table as help(ex.stopper) describes, got a "
    .. "function", ex.stopper.of, function() return true end)
  local own = { decide = function() return "go" end, promote = function() end, limit = function() end, options = {} }
  lu.assertErrorMsgContains("stop: a stopper of one's own has name, options, decide, promote and limit (help(ex.stopper)); its name is "
    .. "missing, not a string", ex.stopper.of, own)
  own.name = "mine"
  lu.assertIs(ex.stopper.of(own), own)
end

os.exit(lu.LuaUnit.run())
