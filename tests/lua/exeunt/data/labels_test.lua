-- labels_test.lua: the first label that no class has, and tensors to fill.

local lu = require "luaunit"
local labels = require "exeunt.data.labels"
local tensor = require "exeunt.tensor"

TestLabels = {}

function TestLabels.test_outside()
  local data = tensor({ 0, 2, 3, 9 }, "int32")
  lu.assertNil((labels.outside(data:data(), 4, 10)))
  lu.assertEquals({ labels.outside(data:data(), 4, 3) }, { 3, 2 })
  lu.assertEquals({ labels.outside(tensor({ 1, -1 }, "int32"):data(), 2, 3) }, { -1, 1 })
  labels.check("file", data:data(), 2, 3)
  lu.assertErrorMsgContains("file: label 2 (counted from 0) is 3, expected 0 to 2", labels.check, "file", data:data(), 4, 3)
end

function TestLabels.test_make()
  local images, of = labels.make(2, { 3, 4, 5 })
  lu.assertEquals(images.shape, { 2, 3, 4, 5 })
  lu.assertEquals({ images.dtype, of.dtype }, { "uint8", "int32" })
  lu.assertEquals(of:to_list(), { 0, 0 })
end

os.exit(lu.LuaUnit.run())
