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

os.exit(lu.LuaUnit.run())
