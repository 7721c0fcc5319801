-- safetensors_test.lua: tensors and strings through a file and back; the format itself is tested in tests/core/io.

local lu = require "luaunit"
local file = require "exeunt.file"
local safetensors = require "exeunt.safetensors"
local tensor = require "exeunt.tensor"
local command = dofile "tests/support/command.lua"

TestSafetensors = {}

function TestSafetensors:setUp()
  self.folder = command.folder()
  self.path = self.folder .. "/x.safetensors"
end

function TestSafetensors:tearDown() command.remove(self.folder) end

function TestSafetensors:test_round_trip()
  local w = tensor { { 1, 2, 3 }, { 4, 5, 6 } }
  local y = tensor({ 7, -8 }, "int32")
  safetensors.write(self.path, { w = w, y = y, turned = w:permute(1, 0) }, { note = "a \"text\"\n\xC3\xA9", empty = "" })
  local f = safetensors.open(self.path)
  lu.assertEquals(f.names, { "turned", "w", "y" })
  lu.assertEquals(f.types, { turned = "F32", w = "F32", y = "I32" })
  lu.assertEquals(f.shapes, { turned = { 3, 2 }, w = { 2, 3 }, y = { 2 } })
  lu.assertEquals(f.metadata, { note = "a \"text\"\n\xC3\xA9", empty = "" })
  lu.assertEquals(f:read("w"):to_list(), { { 1, 2, 3 }, { 4, 5, 6 } })
  lu.assertEquals(f:read("turned"):to_list(), { { 1, 4 }, { 2, 5 }, { 3, 6 } })
  lu.assertEquals(f:read("y").dtype, "int32")
  lu.assertErrorMsgContains("no tensor 'turne'; did you mean 'turned'?", f.read, f, "turne")
  lu.assertEquals(tostring(f), self.path .. ": 3 tensors")
  f:free()
  lu.assertErrorMsgContains("the file was closed", f.read, f, "w")
  local all = safetensors.read(self.path)
  lu.assertEquals(all.tensors.y:to_list(), { 7, -8 })
  lu.assertEquals(all.metadata.empty, "")
end

-- A list and a table, in any order, give the same bytes.
function TestSafetensors:test_the_same_bytes()
  local a, b = tensor { 1, 2 }, tensor({ 3 }, "uint8")
  safetensors.write(self.path, { a = a, b = b }, { k = "1", l = "2" })
  local other = self.folder .. "/y"
  safetensors.write(other, { { "b", b }, { "a", a } }, { l = "2", k = "1" })
  lu.assertEquals(file.digest(other), file.digest(self.path))
  safetensors.write(other, { { "b", b }, { "a", a } }, { l = "2", k = "2" })
  lu.assertNotEquals(file.digest(other), file.digest(self.path))
end

function TestSafetensors:test_refuses()
  lu.assertErrorMsgContains("expected a path, got nil", safetensors.open, nil)
  lu.assertErrorMsgContains("No such file or directory", safetensors.open, self.path)
  file.write(self.path, "not a tensor in sight")
  lu.assertErrorMsgContains("x.safetensors: not a safetensors file", safetensors.read, self.path)
  lu.assertErrorMsgContains("expected names and tensors, got w = number", safetensors.write, self.path, { w = 1 })
  lu.assertErrorMsgContains("metadata must be strings", safetensors.write, self.path, {}, { k = 1 })
  lu.assertErrorMsgContains("without the character 0", safetensors.write, self.path, {}, { k = "\0" })
  lu.assertErrorMsgContains("expected a path, got nil", safetensors.write, nil, {})
  lu.assertErrorMsgContains("may not be called __metadata__", safetensors.write, self.path, { __metadata__ = tensor { 1 } })
end

os.exit(lu.LuaUnit.run())
