-- tensor_math_test.lua: arithmetic, comparisons, products and reductions of tensors, against numbers worked by hand.

local lu = require "luaunit"
local tensor = require "exeunt.tensor"

local says = lu.assertErrorMsgEquals

-- (2, 3): 1 .. 6
local function small() return tensor { { 1, 2, 3 }, { 4, 5, 6 } } end

local function assert_close(actual, expected)
  lu.assertTrue(actual:allclose(tensor(expected), 1e-6, 1e-7), tostring(actual))
end

-- -- Element by element ----------------------------------------------------------------------------------------

TestArithmetic = {}

function TestArithmetic.test_two_tensors()
  local a, b = small(), tensor { { 6, 5, 4 }, { 3, 2, 1 } }
  lu.assertEquals((a + b):to_list(), { { 7, 7, 7 }, { 7, 7, 7 } })
  lu.assertEquals((a - b):to_list(), { { -5, -3, -1 }, { 1, 3, 5 } })
  lu.assertEquals((a * b):to_list(), { { 6, 10, 12 }, { 12, 10, 6 } })
  lu.assertEquals((a / tensor.full({ 2, 3 }, 2)):to_list(), { { 0.5, 1, 1.5 }, { 2, 2.5, 3 } })
  lu.assertEquals((-a):to_list(), { { -1, -2, -3 }, { -4, -5, -6 } })
  assert_close(a ^ b, { { 1, 32, 81 }, { 64, 25, 6 } })
end

function TestArithmetic.test_numbers_on_either_side()
  local a = tensor { 1, 2, 4 }
  lu.assertEquals((a + 1):to_list(), { 2, 3, 5 })
  lu.assertEquals((1 + a):to_list(), { 2, 3, 5 })
  lu.assertEquals((10 - a):to_list(), { 9, 8, 6 })
  lu.assertEquals((a - 10):to_list(), { -9, -8, -6 })
  lu.assertEquals((2 * a):to_list(), { 2, 4, 8 })
  lu.assertEquals((8 / a):to_list(), { 8, 4, 2 })
  lu.assertEquals((2 ^ a):to_list(), { 2, 4, 16 })
  lu.assertEquals((a ^ 2):to_list(), { 1, 4, 16 })
  lu.assertEquals(a:add(1):to_list(), { 2, 3, 5 })
  lu.assertEquals((a + { 1, 0, -1 }):to_list(), { 2, 2, 3 })
  lu.assertEquals(({ 1, 0, -1 } - a):to_list(), { 0, -2, -5 })
end

function TestArithmetic.test_broadcasting()
  local a = small()
  lu.assertEquals((a + tensor { 10, 20, 30 }):to_list(), { { 11, 22, 33 }, { 14, 25, 36 } })
  lu.assertEquals((tensor { { 10 }, { 20 } } + a):to_list(), { { 11, 12, 13 }, { 24, 25, 26 } })
  lu.assertEquals((tensor { { 1 }, { 2 } } * tensor { 3, 4 }):to_list(), { { 3, 4 }, { 6, 8 } })
end

function TestArithmetic.test_strided_and_integer_operands()
  local a = small():transpose()
  lu.assertEquals((a + a):to_list(), { { 2, 8 }, { 4, 10 }, { 6, 12 } })
  local sum = tensor({ 1, 2 }, "int32") + tensor({ 200, 100 }, "uint8")
  lu.assertEquals(sum:to_list(), { 201, 102 })
  lu.assertEquals(sum.dtype, "float32")
end

function TestArithmetic.test_without_axes_a_number_comes_back()
  lu.assertEquals(tensor(3) + 4, 7)
  lu.assertEquals(tensor(3) * tensor(5), 15)
end

function TestArithmetic.test_in_place()
  local a = tensor { 1, 2 }
  lu.assertIs(a:add_(1), a)
  a:mul_ { 10, 20 }:sub_(tensor { 5 }):div_(5):pow_(2)
  lu.assertEquals(a:to_list(), { 9, 121 })
  local rows = small()
  rows:slice(0, 1, 1):mul_(0)
  lu.assertEquals(rows:to_list(), { { 0, 0, 0 }, { 4, 5, 6 } })
end

function TestArithmetic.test_one_operand()
  assert_close(tensor { 0, 1 }:exp(), { 1, math.exp(1) })
  assert_close(tensor { 1, 2 }:log(), { 0, math.log(2) })
  lu.assertEquals(tensor { 4, 9 }:sqrt():to_list(), { 2, 3 })
  lu.assertEquals(tensor { -4, 9 }:abs():to_list(), { 4, 9 })
  lu.assertEquals(tensor { -4, 3 }:square():to_list(), { 16, 9 })
  lu.assertEquals(tensor { -4, 3 }:relu():to_list(), { 0, 3 })
  assert_close(tensor { 0, 1 }:tanh(), { 0, math.tanh(1) })
  assert_close(tensor { 0, 2 }:sigmoid(), { 0.5, 1 / (1 + math.exp(-2)) })
end

function TestArithmetic.test_maximum_minimum_clamp()
  local a = tensor { -2, 0, 5 }
  lu.assertEquals(a:maximum(1):to_list(), { 1, 1, 5 })
  lu.assertEquals(a:minimum { -1, 1, 1 }:to_list(), { -2, 0, 1 })
  lu.assertEquals(a:clamp(-1, 2):to_list(), { -1, 0, 2 })
  lu.assertEquals(a:clamp(nil, 2):to_list(), { -2, 0, 2 })
  local same = a:clamp()
  same:fill_(9)
  lu.assertEquals(a:to_list(), { -2, 0, 5 })
end

function TestArithmetic.test_comparisons_give_ones_and_zeros()
  local a, b = tensor { 1, 2, 3 }, tensor { 3, 2, 1 }
  lu.assertEquals(a:eq(b):to_list(), { 0, 1, 0 })
  lu.assertEquals(a:ne(b):to_list(), { 1, 0, 1 })
  lu.assertEquals(a:lt(b):to_list(), { 1, 0, 0 })
  lu.assertEquals(a:le(b):to_list(), { 1, 1, 0 })
  lu.assertEquals(a:gt(b):to_list(), { 0, 0, 1 })
  lu.assertEquals(a:ge(b):to_list(), { 0, 1, 1 })
  lu.assertEquals(a:gt(1.5):to_list(), { 0, 1, 1 })
  local nan = tensor { 0 / 0 }
  lu.assertEquals({ nan:eq(nan)[1], nan:ne(nan)[1], nan:lt(1)[1] }, { 0, 1, 0 })
end

function TestArithmetic.test_errors_name_the_operation_and_the_shapes()
  local a = small()
  says("add of (2, 3), (2): shapes (2, 3) and (2) do not broadcast", function() return a + tensor { 1, 2 } end)
  says("mul: takes tensors and numbers, got a string", function() return a * "x" end)
  says("sub: takes tensors and numbers, got nil", function() return a - nil end)
  says("mean: keepdim is named: t:mean(axis, { keepdim = true })", function() return a:mean(1, true) end)
  lu.assertErrorMsgContains("tensors are compared by a:lt(b)", function() return a < small() end)
  says("copy_: a tensor of shape (2, 3) does not fit into shape (3)", function() a[1]:add_(a) end)
end

-- -- Products ------------------------------------------------------------------------------------------------------

TestProducts = {}

function TestProducts.test_matmul()
  local a = small()
  lu.assertEquals(a:matmul(a:transpose()):to_list(), { { 14, 32 }, { 32, 77 } })
  lu.assertEquals(a:matmul(tensor { 1, 0, -1 }):to_list(), { -2, -2 })
  lu.assertEquals(tensor { 1, 1 }:matmul(a):to_list(), { 5, 7, 9 })
  lu.assertEquals(tensor { 1, 2, 3 }:dot(tensor { 4, 5, 6 }), 32)
  lu.assertErrorMsgContains("matmul of (2, 3), (2, 3): ", a.matmul, a, a)
  says("matmul: takes two tensors, got a number", a.matmul, a, 3)
end

-- -- Over axes -----------------------------------------------------------------------------------------------------

TestReductions = {}

function TestReductions.test_everything_gives_a_number()
  local a = small()
  lu.assertEquals({ a:sum(), a:mean(), a:max(), a:min(), a:argmax() }, { 21, 3.5, 6, 1, 5 })
end

function TestReductions.test_over_axes()
  local a = small()
  lu.assertEquals(a:sum(0):to_list(), { 5, 7, 9 })
  lu.assertEquals(a:sum(1):to_list(), { 6, 15 })
  lu.assertEquals(a:sum(-1):to_list(), { 6, 15 })
  lu.assertEquals(a:mean(0):to_list(), { 2.5, 3.5, 4.5 })
  lu.assertEquals(a:max(0):to_list(), { 4, 5, 6 })
  lu.assertEquals(a:min(1):to_list(), { 1, 4 })
  lu.assertEquals(a:sum(0, 1), 21)
  local b = tensor.arange(24):reshape(2, 3, 4)
  lu.assertEquals(b:sum(0, 2):to_list(), { 60, 92, 124 })
  lu.assertEquals(b:sum { 0, 2 }:to_list(), { 60, 92, 124 })
  lu.assertEquals(b:transpose(0, 2):sum(0, 2):to_list(), { 60, 92, 124 })
end

function TestReductions.test_keepdim()
  local a = small()
  lu.assertEquals(a:sum(0, { keepdim = true }):to_list(), { { 5, 7, 9 } })
  lu.assertEquals(a:sum { keepdim = true }:to_list(), { { 21 } })
  lu.assertEquals((a - a:mean(1, { keepdim = true })):to_list(), { { -1, 0, 1 }, { -1, 0, 1 } })
  says("sum: unknown option 'keepdims'; did you mean 'keepdim'?", a.sum, a, 0, { keepdims = true })
end

function TestReductions.test_variance()
  local a = tensor { { 1, 2, 3 }, { 4, 6, 8 } }
  lu.assertEquals(a:var(1):to_list(), { 1, 4 })
  lu.assertEquals(a:std(1):to_list(), { 1, 2 })
  lu.assertEquals(tensor { 2, 4, 6 }:var(), 4)
  lu.assertEquals(tensor { 2, 4, 6 }:std(), 2)
  lu.assertEquals(a:var(1, { keepdim = true }).shape, { 2, 1 })
end

function TestReductions.test_argmax_counts_from_zero_as_labels_do()
  local a = tensor { { 1, 9, 3 }, { 7, 5, 7 } }
  local best = a:argmax(1)
  lu.assertEquals(best.dtype, "int32")
  lu.assertEquals(best:to_list(), { 1, 0 })
  lu.assertEquals(a:argmax(0):to_list(), { 1, 0, 1 })
  lu.assertEquals(a:argmax(), 1)
  says("argmax: takes one axis, got 2", a.argmax, a, 0, 1)
end

function TestReductions.test_softmax()
  assert_close(tensor { { 0, 0 }, { 0, math.log(3) } }:softmax(), { { 0.5, 0.5 }, { 0.25, 0.75 } })
  assert_close(tensor { { 0, 0 }, { 0, math.log(3) } }:softmax(0), { { 0.5, 0.25 }, { 0.5, 0.75 } })
  assert_close(tensor { 0, math.log(3) }:log_softmax(), { math.log(0.25), math.log(0.75) })
  says("softmax: no axis 1 in a tensor of shape (2) (axes count from 0)", function() return tensor { 1, 2 }:softmax(1) end)
end

function TestReductions.test_bad_axes()
  local a = small()
  says("sum: no axis 2 in a tensor of shape (2, 3) (axes count from 0)", a.sum, a, 2)
  says("mean: no axis x in a tensor of shape (2, 3) (axes count from 0)", a.mean, a, "x")
  lu.assertErrorMsgContains("sum", a.sum, a, 0, 0)
end

-- -- Whole tensors ---------------------------------------------------------------------------------------------------

TestWhole = {}

function TestWhole.test_equal_and_allclose()
  local a = small()
  lu.assertTrue(a:equal(a:transpose():clone():transpose()))
  lu.assertTrue(a:equal(a:int()))
  lu.assertFalse(a:equal(a:transpose()))
  lu.assertFalse(a:equal(a + 1e-3))
  lu.assertFalse(a:equal(3))
  lu.assertTrue(a:allclose(a + 1e-6))
  lu.assertFalse(a:allclose(a + 1e-3))
  lu.assertTrue(a:allclose(a + 1e-3, 0, 1e-2))
  local nan = tensor { 0 / 0 }
  lu.assertFalse(nan:equal(nan))
  lu.assertFalse(nan:allclose(nan))
  lu.assertFalse(nan:allclose(tensor { 1 }))
  lu.assertTrue(tensor { math.huge }:allclose(tensor { math.huge }))
end

function TestWhole.test_same_bits()
  local a = tensor { 0, 0 / 0 }
  lu.assertTrue(a:same_bits(a:clone()))
  lu.assertFalse(a:same_bits(a * { -1, 1 }))       -- 0 and -0 are equal, their bits are not
  lu.assertFalse(a:same_bits(a:int()))
end

os.exit(lu.LuaUnit.run())
