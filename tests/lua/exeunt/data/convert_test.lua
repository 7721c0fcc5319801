-- convert_test.lua: sizes and channels, worked by hand.

local lu = require "luaunit"
local convert = require "exeunt.data.convert"
local tensor = require "exeunt.tensor"

TestConvert = {}

function TestConvert.test_channels()
  local grey = tensor({ { { { 1, 2 } } } }, "uint8")
  lu.assertIs(convert.channels(grey, 1), grey)
  local three = convert.channels(grey, 3)
  lu.assertEquals(three:to_list(), { { { { 1, 2 } }, { { 1, 2 } }, { { 1, 2 } } } })
  local colour = tensor({ { { { 255 } }, { { 0 } }, { { 100 } } } }, "uint8")
  lu.assertEquals(convert.channels(colour, 1):to_list(), { { { { 88 } } } })       -- .299 * 255 + .114 * 100 = 87.6
  lu.assertErrorMsgContains("channels: 3 cannot be made of 4", convert.channels, tensor.zeros({ 1, 4, 1, 1 }, "uint8"), 3)
end

function TestConvert.test_resize()
  local flat = tensor.zeros({ 2, 1, 3, 3 }, "uint8"):fill_(7)
  lu.assertIs(convert.resize(flat, 3, 3, "bicubic"), flat)
  lu.assertEquals(convert.resize(flat, 1, 2, "bicubic"):to_list(), { { { { 7, 7 } } }, { { { 7, 7 } } } })
  local steps = tensor({ { { { 0, 100 } } } }, "uint8")
  lu.assertEquals(convert.resize(steps, 1, 1, "bilinear"):to_list(), { { { { 50 } } } })
end

os.exit(lu.LuaUnit.run())
