-- eager_test.lua: operators applied now: kept plans, plans for once, what they hold on to, what they say.

local lu = require "luaunit"
local core = require "exeunt.core"
local eager = require "exeunt.eager"
local tensor = require "exeunt.tensor"
local C = core.C

TestEager = {}

function TestEager:setUp() eager.forget() end

function TestEager:test_the_same_call_is_kept_once()
  local a, b = tensor { 1, 2, 3 }, tensor { 10, 20, 30 }
  for i = 1, 5 do
    lu.assertEquals(eager.run("add", { a, tensor.full({ 3 }, i) }):to_list(), { 1 + i, 2 + i, 3 + i })
  end
  lu.assertEquals(eager.kept, 1)
  eager.run("sub", { a, b })
  eager.run("add", { a, tensor { 1 } })
  eager.run("sum", { a }, { axes = { 0 } })
  eager.run("sum", { a }, { axes = { 0 }, keepdim = true })
  lu.assertEquals(eager.kept, 5)
end

function TestEager:test_results_belong_to_the_caller()
  local a = tensor { 1, 2 }
  local first = eager.run("neg", { a })
  local second = eager.run("neg", { tensor { 5, 6 } })
  lu.assertEquals(first:to_list(), { -1, -2 })
  lu.assertEquals(second:to_list(), { -5, -6 })
  first:fill_(9)
  lu.assertEquals(eager.run("neg", { a }):to_list(), { -1, -2 })
end

function TestEager:test_inputs_may_be_strided_and_are_not_changed()
  local a = tensor { { 1, 2, 3 }, { 4, 5, 6 } }
  local turned = a:transpose()
  lu.assertEquals(eager.run("add", { turned, turned }):to_list(), { { 2, 8 }, { 4, 10 }, { 6, 12 } })
  lu.assertEquals(a:to_list(), { { 1, 2, 3 }, { 4, 5, 6 } })
end

-- A large call, a small one with the same numbers: the two ways give the same bits.
function TestEager:test_large_calls_are_not_kept()
  local a = tensor.normal({ 300, 300 }, 0, 1, { seed = 1, stream = "a" })
  local turned = a:transpose()
  local large = eager.run("mul", { turned, a })
  lu.assertEquals(eager.kept, 0)
  local small = eager.run("mul", { turned:slice(0, 1, 50), a:slice(0, 1, 50) })
  lu.assertEquals(eager.kept, 1)
  lu.assertTrue(small:same_bits(large:slice(0, 1, 50)))
end

function TestEager:test_kept_plans_hold_no_tensor_of_the_callers()
  collectgarbage()
  local base = tensor.zeros(4e6)
  local held = C.ex_memory_bytes()
  eager.run("neg", { base:slice(0, 1, 3) })
  base:free()
  collectgarbage()
  lu.assertTrue(C.ex_memory_bytes() < held - 15e6)
end

function TestEager:test_the_number_of_kept_calls_is_bounded()
  for n = 1, eager.limit + 10 do eager.run("neg", { tensor.zeros(n) }) end
  lu.assertTrue(eager.kept <= eager.limit)
  lu.assertEquals(eager.run("neg", { tensor { 3 } }):to_list(), { -3 })
end

function TestEager:test_errors_name_the_operator_and_the_shapes()
  local a, b = tensor.zeros(2, 3), tensor.zeros(4)
  lu.assertErrorMsgEquals("add of (2, 3), (4): shapes (2, 3) and (4) do not broadcast", eager.run, "add", { a, b })
  lu.assertErrorMsgContains("ad of (2, 3): ", eager.run, "ad", { a })
  lu.assertErrorMsgContains("int32", eager.run, "neg", { tensor.zeros({ 2 }, "int32") })
  lu.assertErrorMsgContains("axis", eager.run, "sum", { a }, { axis = 1 })
  lu.assertEquals(eager.kept, 0)
end

function TestEager:test_empty_tensors_are_refused()
  lu.assertErrorMsgEquals("add of (2), (0, 3): an empty tensor holds nothing to compute on", eager.run, "add",
    { tensor.zeros(2), tensor.zeros(0, 3) })
end

os.exit(lu.LuaUnit.run())
