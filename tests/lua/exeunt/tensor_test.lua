-- tensor_test.lua: tensors from lists, views, elements, printing, and what is said about mistakes.

local lu = require "luaunit"
local core = require "exeunt.core"
local tensor = require "exeunt.tensor"
local C, ffi = core.C, core.ffi

local says = lu.assertErrorMsgEquals

-- (2, 3): 1 .. 6
local function small() return tensor { { 1, 2, 3 }, { 4, 5, 6 } } end

-- -- Making --------------------------------------------------------------------------------------------------

TestMaking = {}

function TestMaking.test_from_lists_and_numbers()
  lu.assertEquals(tensor { 1, 2 }:to_list(), { 1, 2 })
  lu.assertEquals(tensor { { { 1 }, { 2 } } }.shape, { 1, 2, 1 })
  lu.assertEquals(tensor(2.5):to_list(), 2.5)
  lu.assertEquals(#tensor(2.5).shape, 0)
  lu.assertEquals(tensor({ 0, 255 }, "uint8").dtype, "uint8")
  lu.assertEquals(tensor({ -7 }, "int32"):to_list(), { -7 })
  lu.assertEquals(tensor { true, false }:to_list(), { 1, 0 })
  lu.assertEquals(tensor({}).shape, { 0 })
  lu.assertEquals(tensor { {}, {} }.shape, { 2, 0 })
  lu.assertEquals(tensor { 0.1 }.dtype, "float32")
  local original = small()
  local copy = tensor(original)
  copy:fill_(0)
  lu.assertEquals(original[1][1], 1)
end

function TestMaking.test_bad_lists_say_where()
  says("tensor: ragged list: expected 2 elements at [2], got 1", tensor, { { 1, 2 }, { 3 } })
  says("tensor: ragged list: expected 2 elements at [2], got a number", tensor, { { 1, 2 }, 3 })
  says("tensor: expected a number at [2], got a table", tensor, { 1, { 2 } })
  says("tensor: expected a number at [1][2], got a string", tensor, { { 1, "x" } })
  says("tensor: 300 at [2] is no uint8", tensor, { 1, 300 }, "uint8")
  says("tensor: 1.5 at [1] is no int32", tensor, { 1.5 }, "int32")
  says("tensor: nan at [1] is no int32", tensor, { 0 / 0 }, "int32")
  says("tensor: takes a number, a nested list of numbers or a tensor, got nil", tensor)
  says("tensor: a list of tensors is joined by tensor.stack or tensor.concat", tensor, { small() })
  says("tensor: no type 'float64'; did you mean 'float32'?", tensor, { 1 }, "float64")
end

-- -- Elements ------------------------------------------------------------------------------------------------

TestElements = {}

function TestElements.test_positions_count_from_one()
  local a = small()
  lu.assertEquals(a[2][3], 6)
  lu.assertEquals(a[-1][-3], 4)
  lu.assertEquals(a[{ 1, 2 }], 2)
  lu.assertEquals(a:get(2, 1), 4)
  lu.assertEquals(a[2]:to_list(), { 4, 5, 6 })
  lu.assertEquals(a[{ 2 }]:to_list(), { 4, 5, 6 })
  lu.assertEquals(a:select(1, 2):to_list(), { 2, 5 })
  lu.assertEquals(a:select(-1, -1):to_list(), { 3, 6 })
end

function TestElements.test_positions_outside_are_errors()
  local a = small()
  says("index: position 3 is outside axis 0 of shape (2, 3) (positions count from 1)", function() return a[3] end)
  says("index: position 0 is outside axis 0 of shape (2, 3) (positions count from 1)", function() return a[0] end)
  says("index: position -4 is outside axis 0 of shape (3) (positions count from 1)", function() return a[1][-4] end)
  says("index: position 1.5 is outside axis 0 of shape (3) (positions count from 1)", function() return a[1][1.5] end)
  says("index: 3 positions in a tensor of shape (2, 3)", function() return a[{ 1, 1, 1 }] end)
  says("get: 1 positions in a tensor of shape (2, 3)", a.get, a, 1)
  says("get: position 4 is outside axis 1 of shape (2, 3) (positions count from 1)", a.get, a, 1, 4)
  says("index: 1 positions in a tensor of shape ()", function() return tensor(1)[1] end)
end

function TestElements.test_assignment()
  local a = small()
  a[1] = 0
  lu.assertEquals(a:to_list(), { { 0, 0, 0 }, { 4, 5, 6 } })
  a[2] = { 7, 8, 9 }
  a[{ 1, 2 }] = -1
  a[1][3] = -2
  a:set(1, 1, 5)
  lu.assertEquals(a:to_list(), { { 5, -1, -2 }, { 7, 8, 9 } })
  a[1] = tensor { 3 }
  lu.assertEquals(a[1]:to_list(), { 3, 3, 3 })
  a[1] = a[2]
  lu.assertEquals(a[1]:to_list(), { 7, 8, 9 })
  a[{}] = 1
  lu.assertEquals(a:sum(), 6)
end

function TestElements.test_assignment_through_views_reaches_the_base()
  local a = tensor.zeros(3, 4)
  a:transpose()[2] = 5                       -- a column
  a:slice(0, 1, 3, 2):slice(1, -1)[1] = 7    -- rows 1 and 3, the last column, of these the first row
  lu.assertEquals(a:to_list(), { { 0, 5, 0, 7 }, { 0, 5, 0, 0 }, { 0, 5, 0, 0 } })
end

function TestElements.test_bad_assignments()
  local a = small()
  says("copy_: a tensor of shape (2) does not fit into shape (3)", function() a[1] = { 1, 2 } end)
  says("index: cannot assign a string to a part of a tensor", function() a[1] = "x" end)
  says("index: position 5 is outside axis 0 of shape (2, 3) (positions count from 1)", function() a[5] = 1 end)
  says("a tensor has no field 'grad' to set", function() a.grad = 1 end)
  says("fill: uint8 holds whole numbers from 0 to 255, not 256", function() tensor.zeros(2, "uint8")[1] = 256 end)
  lu.assertEquals(a:to_list(), small():to_list())
end

function TestElements.test_rows_iterate()
  local seen = {}
  for i, row in small():rows() do seen[i] = row:to_list() end
  lu.assertEquals(seen, { { 1, 2, 3 }, { 4, 5, 6 } })
  for i, number in tensor { 8, 9 }:rows() do seen[i] = number end
  lu.assertEquals(seen, { 8, 9 })
end

function TestElements.test_item()
  lu.assertEquals(tensor { { 3 } }:item(), 3)
  says("item: a tensor of shape (2, 3) holds 6 numbers, not one", function() return small():item() end)
end

function TestElements.test_unknown_names_suggest_the_nearest()
  local a = small()
  says("a tensor has no field or method 'summ'; did you mean 'sum'?", function() return a:summ() end)
  says("a tensor has no field or method 'shap'; did you mean 'shape'?", function() return a.shap end)
  says("a tensor has no field or method 'frobnicate'", function() return a.frobnicate end)
  says("a tensor has no field or method 'view'; did you mean 'reshape'?", function() return a:view(6) end)
  says("a tensor has no field or method 't'; did you mean 'transpose'?", function() return a:t() end)
  says("a tensor has no field or method 'dim'; did you mean 'shape'?", function() return a:dim() end)
  says("index: a position is a number, got a table for axis 0; a range is t:slice(axis, first, last)",
       function() return a[{ { 1, 2 } }] end)
  says("ex.tensor has no 'randperm'; did you mean 'permutation'?", function() return tensor.randperm(3) end)
  says("ex.tensor has no 'frobnicate'", function() return tensor.frobnicate end)
  says("ex.tensor has no 'zero'; did you mean 'zeros'?", function() return tensor.zero end)
end

-- -- Views and copies ----------------------------------------------------------------------------------------

TestViews = {}

function TestViews.test_slices_include_both_ends()
  local v = tensor.arange(6)
  lu.assertEquals(v:slice(0, 2, 4):to_list(), { 1, 2, 3 })
  lu.assertEquals(v:slice(0, 5):to_list(), { 4, 5 })
  lu.assertEquals(v:slice(0, -2):to_list(), { 4, 5 })
  lu.assertEquals(v:slice(0, 1, -1, 2):to_list(), { 0, 2, 4 })
  lu.assertEquals(v:slice(0, -1, 1, -2):to_list(), { 5, 3, 1 })
  lu.assertEquals(v:slice(0, -1, nil, -1):to_list(), { 5, 4, 3, 2, 1, 0 })
  lu.assertEquals(v:slice(0, 4, 3).shape, { 0 })
  lu.assertEquals(small():slice(-1, 2, 3):to_list(), { { 2, 3 }, { 5, 6 } })
end

function TestViews.test_bad_slices()
  local a = small()
  says("slice: positions 1 to 4 are outside axis 1 of shape (2, 3)", a.slice, a, 1, 1, 4)
  says("slice: positions 0 to 1 are outside axis 0 of shape (2, 3)", a.slice, a, 0, 0, 1)
  says("slice: no axis 2 in a tensor of shape (2, 3) (axes count from 0)", a.slice, a, 2, 1)
  says("slice: step 0 is not a whole number other than 0", a.slice, a, 0, 1, 2, 0)
  says("slice: positions are whole numbers, got nil and 2", a.slice, a, 0)
end

function TestViews.test_axes_in_another_order()
  local a = tensor.arange(24):reshape(2, 3, 4)
  lu.assertEquals(a:permute(2, 0, 1).shape, { 4, 2, 3 })
  lu.assertEquals(a:permute { -1, 0, 1 }[2][1][3], a[1][3][2])
  lu.assertEquals(a:transpose(0, 2).shape, { 4, 3, 2 })
  lu.assertEquals(small():transpose():to_list(), { { 1, 4 }, { 2, 5 }, { 3, 6 } })
  says("permute: 2 axes in a tensor of shape (2, 3, 4)", a.permute, a, 0, 1)
  says("permute: (0, 0, 1) is not an order of the 3 axes of shape (2, 3, 4)", a.permute, a, 0, 0, 1)
  says("transpose: no axis 1 in a tensor of shape (6) (axes count from 0)", function() return tensor.zeros(6):transpose() end)
end

function TestViews.test_reshape_shares_where_it_can()
  local a = small()
  a:reshape(3, -1)[1] = 0
  lu.assertEquals(a:to_list(), { { 0, 0, 3 }, { 4, 5, 6 } })
  local turned = a:transpose():reshape(6)   -- no strides can say this: a copy
  turned:fill_(9)
  lu.assertEquals(a[2]:to_list(), { 4, 5, 6 })
  lu.assertEquals(a:transpose():flatten():to_list(), { 0, 4, 0, 5, 3, 6 })
  says("reshape: shape (2, 3) (6 elements) cannot become (4, 2)", a.reshape, a, 4, 2)
  says("reshape: shape (3, 2) (6 elements) cannot become (4)", function() return a:transpose():reshape(4) end)
  says("reshape: size -2 at place 1 is not a whole number from -1 to 2^31 - 1", a.reshape, a, -2)
end

function TestViews.test_squeeze_and_unsqueeze()
  local a = tensor.zeros(1, 3, 1)
  lu.assertEquals(a:squeeze().shape, { 3 })
  lu.assertEquals(a:squeeze(0).shape, { 3, 1 })
  lu.assertEquals(a:squeeze(-1).shape, { 1, 3 })
  says("squeeze: axis 1 of shape (1, 3, 1) has not size 1", a.squeeze, a, 1)
  lu.assertEquals(small():unsqueeze(0).shape, { 1, 2, 3 })
  lu.assertEquals(small():unsqueeze(-1).shape, { 2, 3, 1 })
  lu.assertErrorMsgContains("unsqueeze: no place 4", a.unsqueeze, a, 4)
  local strided = tensor.zeros(2, 2)
  strided:transpose():unsqueeze(1)[1] = 1    -- still a view
  lu.assertEquals(strided:to_list(), { { 1, 0 }, { 1, 0 } })
end

function TestViews.test_expand()
  lu.assertEquals(tensor { 1, 2 }:expand(2, 2):to_list(), { { 1, 2 }, { 1, 2 } })
  says("broadcast: shape (2, 3) cannot become (4, 3)", function() return small():expand(4, 3) end)
end

function TestViews.test_copies()
  local a = small()
  local b = a:clone()
  b:fill_(0)
  lu.assertEquals(a[1][1], 1)
  lu.assertIs(a:dense(), a)
  local turned = a:transpose()
  lu.assertFalse(turned:is_dense())
  lu.assertTrue(turned:dense():is_dense())
  lu.assertEquals(turned:dense():to_list(), turned:to_list())
  lu.assertIs(a:to "float32", a)
  lu.assertEquals(tensor { 1.9, -1.9, 300 }:to "uint8":to_list(), { 1, 0, 255 })
  lu.assertEquals(tensor { 1.9, -1.9 }:int():to_list(), { 1, -1 })
  says("to: no type 'double'; there are float32, int32 and uint8", a.to, a, "double")
end

function TestViews.test_copy_in_place()
  local a = small()
  lu.assertIs(a:copy_ { 7, 8, 9 }, a)
  lu.assertEquals(a:to_list(), { { 7, 8, 9 }, { 7, 8, 9 } })
  a:copy_(tensor({ 1 }, "int32"))
  lu.assertEquals(a:sum(), 6)
  says("copy_: a tensor of shape (2) does not fit into shape (2, 3)", a.copy_, a, { 1, 2 })
  says("fill: expected a number, got a string", a.fill_, a, "x")
  local before = a:version()
  a:zero_()
  lu.assertTrue(a:version() > before)
end

-- -- Looking, memory --------------------------------------------------------------------------------------------

TestLooking = {}

function TestLooking.test_shape_type_and_counts()
  local a = tensor.zeros({ 2, 3 }, "int32")
  lu.assertEquals({ a:size(), a:size(0), a:size(-1), a:count() }, { 2, 2, 3, 6 })
  lu.assertEquals(tostring(a.shape), "(2, 3)")
  lu.assertTrue(a.shape == tensor.zeros(2, 3).shape)
  lu.assertFalse(a.shape == tensor.zeros(2, 3, 1).shape)
  lu.assertEquals(tensor(1):size(), 1)
  says("size: no axis 2 in a tensor of shape (2, 3) (axes count from 0)", a.size, a, 2)
end

function TestLooking.test_printing()
  lu.assertEquals(tostring(tensor { 1, 2.5 }), "tensor (2) float32: [1.0000, 2.5000]")
  lu.assertEquals(tostring(small()), "tensor (2, 3) float32\n[[1, 2, 3],\n [4, 5, 6]]")
  lu.assertEquals("a = " .. tensor(3), "a = tensor () float32: 3")
  lu.assertStrContains(tostring(tensor.arange(100)), "[ 0,  1,  2,  3,  4, ..., 95, 96, 97, 98, 99]")
  lu.assertStrContains(tensor.arange(100):text(1), "[ 0, ..., 99]")
end

function TestLooking.test_data_is_a_typed_pointer()
  local a = tensor({ 1, 2, 3 }, "int32")
  lu.assertTrue(ffi.istype("int32_t *", a:data()))
  lu.assertEquals(a:slice(0, 2):data()[0], 2)
end

function TestLooking.test_free_gives_memory_back_at_once()
  collectgarbage()
  local held = C.ex_memory_bytes()
  local a = tensor.zeros(1000)
  local view = a:slice(0, 1)
  a:free()
  lu.assertEquals(C.ex_memory_bytes() > held, true)      -- the view still holds it
  lu.assertEquals(view:count(), 1000)
  view:free()
  view:free()
  lu.assertEquals(C.ex_memory_bytes(), held)
  lu.assertEquals(tostring(a), "tensor (freed)")
  says("this tensor was freed", function() return a + 1 end)
end

-- 400 MB of temporaries: the collector must run because native memory grows, although Lua's own hardly does.
function TestLooking.test_native_memory_makes_the_collector_run()
  collectgarbage()
  local before, most = C.ex_memory_bytes(), 0
  for _ = 1, 400 do
    tensor.zeros(512, 512)
    most = math.max(most, C.ex_memory_bytes() - before)
  end
  lu.assertTrue(most < 100e6)
end

function TestLooking.test_wrap_raises_the_message_of_null()
  says("slice: axis 5 of a tensor of shape (2, 3)", function() return tensor.wrap(C.ex_tensor_slice(small().handle, 5, 0, 1, 1)) end)
end

os.exit(lu.LuaUnit.run())
