-- init_test.lua: samplers by name, by table, by function.

local lu = require "luaunit"
local ex = require "exeunt"

TestSamplers = {}

function TestSamplers.test_what_names_a_sampler()
  lu.assertEquals(ex.sampler.of("random").name, "random")
  lu.assertEquals(ex.sampler.of({ grid = { points = 3 } }).options.points, 3)
  lu.assertEquals(ex.sampler.of({ random = {} }).name, "random")
  local made = ex.sampler.random()
  lu.assertIs(ex.sampler.of(made), made)
  local own = ex.sampler.of(function(ask) return { lr = ask.number } end)
  lu.assertEquals({ own.name, own:suggest({ number = 4 }).lr }, { "function", 4 })
end

function TestSamplers.test_refusals()
  lu.assertErrorMsgContains("sampler: no sampler 'rando'; did you mean 'random'?", ex.sampler.of, "rando")
  lu.assertErrorMsgContains("did you mean 'random'", function() return ex.sampler.randm end)
  lu.assertErrorMsgContains("expected one name with its options", ex.sampler.of, { grid = {}, random = {} })
  lu.assertErrorMsgContains("unknown option 'n'", ex.sampler.random, { n = 1 })
end

os.exit(lu.LuaUnit.run())
