-- init_test.lua: the table `ex`: parts on demand, nothing that does not exist, nothing of the user's own.

local lu = require "luaunit"
local ex = require "exeunt"

TestInit = {}

function TestInit.test_parts_are_loaded_when_asked_for()
  package.loaded["exeunt.schedule"] = nil
  rawset(ex, "schedule", nil)
  local part = ex.schedule
  lu.assertIs(part, package.loaded["exeunt.schedule"])
  lu.assertIs(ex.schedule, part)
end

function TestInit.test_every_part_exists()
  for _, name in ipairs(getmetatable(ex).__names()) do lu.assertNotNil(ex[name], name) end
end

function TestInit.test_a_part_that_fails_to_load_says_why()
  local kept = package.loaded["exeunt.schedule"]
  package.loaded["exeunt.schedule"], package.preload["exeunt.schedule"] = nil, function() error("broken part", 0) end
  rawset(ex, "schedule", nil)
  lu.assertErrorMsgContains("broken part", function() return ex.schedule end)
  package.preload["exeunt.schedule"], package.loaded["exeunt.schedule"] = nil, kept
end

function TestInit.test_unknown_names_suggest_the_nearest()
  lu.assertErrorMsgEquals("ex has no 'tensr'; did you mean 'tensor'?", function() return ex.tensr end)
  lu.assertErrorMsgEquals("ex has no 'weightings'; did you mean 'weighting'?", function() return ex.weightings end)
  lu.assertErrorMsgContains("ex has no 'frobnicate'; there are choice, cost, ", function() return ex.frobnicate end)
  lu.assertErrorMsgContains("ex has no '1'", function() return ex[1] end)
end

function TestInit.test_the_table_is_not_for_values_of_ones_own()
  lu.assertErrorMsgEquals("ex.lr: the engine's table is not for values of your own", function() ex.lr = 1 end)
end

function TestInit.test_what_is_made_here()
  lu.assertEquals(ex.version:match "^%d+%.%d+%.%d+$", ex.version)
  lu.assertEquals(ex.threads(2), 2)
  lu.assertEquals(ex.threads(), 2)
  lu.assertErrorMsgContains("threads", ex.threads, 0)
  lu.assertStrContains(tostring(ex), "exeunt " .. ex.version)
end

os.exit(lu.LuaUnit.run())
