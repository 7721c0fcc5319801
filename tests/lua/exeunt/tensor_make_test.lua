-- tensor_make_test.lua: tensors made by rule, drawn, or joined from others.

local lu = require "luaunit"
local tensor = require "exeunt.tensor"
local ex = require "exeunt"

local says = lu.assertErrorMsgEquals

-- (2, 3): 1 .. 6
local function small() return tensor { { 1, 2, 3 }, { 4, 5, 6 } } end

TestMaking = {}

function TestMaking.test_zeros_ones_full()
  lu.assertEquals(tensor.zeros(2, 2):to_list(), { { 0, 0 }, { 0, 0 } })
  lu.assertEquals(tensor.zeros({ 2, 1 }, "int32").dtype, "int32")
  lu.assertEquals(tensor.zeros(2, 1, "uint8").dtype, "uint8")
  lu.assertEquals(tensor.ones { 2 }:to_list(), { 1, 1 })
  lu.assertEquals(tensor.full({ 2 }, 7, "int32"):to_list(), { 7, 7 })
  lu.assertEquals(#tensor.zeros({}).shape, 0)
  lu.assertEquals(tensor.empty(3, 4).shape, { 3, 4 })
  local like = tensor.ones_like(tensor.zeros({ 2, 1 }, "int32"))
  lu.assertEquals({ like.dtype, like:to_list() }, { "int32", { { 1 }, { 1 } } })
  lu.assertEquals(tensor.zeros_like(like):to_list(), { { 0 }, { 0 } })
end

function TestMaking.test_bad_shapes_and_types()
  says("tensor.zeros: size -1 at place 2 of the shape is not a whole number from 0 to 2^31 - 1", tensor.zeros, 2, -1)
  says("tensor.zeros: size 1.5 at place 1 of the shape is not a whole number from 0 to 2^31 - 1", tensor.zeros, { 1.5 })
  says("tensor.ones: size 10000000000 at place 1 of the shape is not a whole number from 0 to 2^31 - 1", tensor.ones, 1e10)
  says("tensor.zeros: size x at place 1 of the shape is not a whole number from 0 to 2^31 - 1", tensor.zeros, { "x" })
  says("tensor.zeros: a shape is a list of sizes, got a string", tensor.zeros, "x")
  says("tensor.full: a shape is a list of sizes, got a number", tensor.full, 3, 4)
  says("tensor: shape (2000000000, 2000000000) is too large", tensor.zeros, 2e9, 2e9)
  says("tensor: 9 axes; 0 to 8 are possible", tensor.zeros, 1, 1, 1, 1, 1, 1, 1, 1, 1)
  lu.assertErrorMsgContains("out of memory", tensor.zeros, 2 ^ 30, 2 ^ 29, "uint8")
  says("tensor.zeros: no type 'int'; there are float32, int32 and uint8", tensor.zeros, 2, "int")
end

function TestMaking.test_ranges()
  lu.assertEquals(tensor.arange(3):to_list(), { 0, 1, 2 })
  lu.assertEquals(tensor.arange(1, 2, 0.25):to_list(), { 1, 1.25, 1.5, 1.75 })
  lu.assertEquals(tensor.arange(5, 0, -2):to_list(), { 5, 3, 1 })
  lu.assertEquals(tensor.arange(0).shape, { 0 })
  lu.assertEquals(tensor.arange(2, "int32").dtype, "int32")
  lu.assertErrorMsgContains("a step that is not 0", tensor.arange, 0, 1, 0)
  lu.assertErrorMsgContains("tensor.arange: takes n", tensor.arange)
  lu.assertEquals(tensor.linspace(0, 1, 5):to_list(), { 0, 0.25, 0.5, 0.75, 1 })
  lu.assertEquals(tensor.linspace(3, 9, 1):to_list(), { 3 })
  lu.assertEquals(tensor.eye(2):to_list(), { { 1, 0 }, { 0, 1 } })
end

function TestMaking.test_random_tensors_follow_seed_and_stream()
  local a = tensor.normal({ 3, 4 }, 0, 1, { seed = 1, stream = "w" })
  lu.assertTrue(a:same_bits(tensor.normal({ 3, 4 }, 0, 1, { seed = 1, stream = "w" })))
  lu.assertFalse(a:same_bits(tensor.normal({ 3, 4 }, 0, 1, { seed = 2, stream = "w" })))
  ex.seed(5)
  local first, second = tensor.rand(4), tensor.rand(4)
  lu.assertFalse(first:same_bits(second))
  ex.seed(5)
  lu.assertTrue(first:same_bits(tensor.rand(4)))
  local n = tensor.randn(2, 3)
  lu.assertEquals(n.shape, { 2, 3 })
  lu.assertEquals(tensor.uniform({ 5 }, 2, 3):lt(2):sum() + tensor.uniform({ 5 }, 2, 3):ge(3):sum(), 0)
  says("uniform: [3, 2) is not a range of float32", tensor.uniform, { 2 }, 3, 2)
  says("uniform: unknown option 'sed'; did you mean 'seed'?", tensor.uniform, { 2 }, 0, 1, { sed = 1 })
end

function TestMaking.test_permutation()
  local p = tensor.permutation(50)
  lu.assertEquals(p.dtype, "int32")
  local list = p:to_list()
  table.sort(list)
  for i = 1, 50 do lu.assertEquals(list[i], i - 1) end
end

function TestMaking.test_joining()
  local a = small()
  lu.assertEquals(tensor.concat({ a, a }).shape, { 4, 3 })
  lu.assertEquals(tensor.concat({ a, a:slice(1, 1, 1) }, 1):to_list(), { { 1, 2, 3, 1 }, { 4, 5, 6, 4 } })
  lu.assertEquals(tensor.stack({ a, a }).shape, { 2, 2, 3 })
  lu.assertEquals(tensor.stack({ tensor { 1, 2 }, tensor { 3, 4 } }, 1):to_list(), { { 1, 3 }, { 2, 4 } })
  lu.assertErrorMsgContains("element 2 has shape (3), the first (2, 3)", tensor.concat, { a, a[1] })
  says("tensor.concat: takes a list of tensors, got a table", tensor.concat, {})
  says("tensor.stack: element 2 is a number, not a tensor", tensor.stack, { a, 3 })
end

os.exit(lu.LuaUnit.run())
