-- seed_test.lua: the process's seed and the streams that count up under it.

local lu = require "luaunit"
local Seed = require "exeunt.seed"

TestSeed = {}

function TestSeed:setUp() Seed(420) end

function TestSeed:test_set_and_get()
  lu.assertEquals(Seed(), 420)
  lu.assertEquals(Seed(7), 7)
  lu.assertEquals(Seed(), 7)
  lu.assertEquals(Seed(0), 0)
  lu.assertEquals(Seed(2 ^ 53), 2 ^ 53)
end

function TestSeed:test_each_draw_has_a_stream_of_its_own_until_the_seed_is_set()
  local first, second = Seed.next(), Seed.next()
  lu.assertNotEquals(first, second)
  Seed(420)
  lu.assertEquals(Seed.next(), first)
end

function TestSeed:test_what_is_no_seed_is_refused()
  for _, wrong in ipairs { -1, 1.5, 2 ^ 54, 0 / 0, math.huge, "1" } do
    lu.assertErrorMsgContains("expected a whole number from 0 to 2^53", Seed, wrong)
    lu.assertEquals(Seed(), 420)
  end
end

os.exit(lu.LuaUnit.run())
