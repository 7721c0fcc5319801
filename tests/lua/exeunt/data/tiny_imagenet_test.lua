-- tiny_imagenet_test.lua: the layout, and each wrong line of the annotations.

local lu = require "luaunit"
local file = require "exeunt.file"
local tiny = require "exeunt.data.tiny_imagenet"
local command = dofile "tests/support/command.lua"

TestTiny = {}

function TestTiny:setUp()
  self.folder = command.folder()
  self.parts = { train = self.folder .. "/train", test = self.folder .. "/val" }
  for _, name in ipairs { "train/n02/images/a.JPEG", "train/n01/images/b.JPEG", "val/images/v.JPEG" } do
    file.make_folder((self.folder .. "/" .. name):match "^(.*)/")
    command.write(self.folder .. "/" .. name, "x")
  end
  self:notes "v.JPEG\tn02\t0\t0\t62\t62\n"
end

function TestTiny:tearDown() command.remove(self.folder) end

function TestTiny:notes(text) command.write(self.parts.test .. "/val_annotations.txt", text) end

function TestTiny:test_lists()
  local names, lists = tiny.list({}, self.parts)
  lu.assertEquals(names, { "n01", "n02" })
  lu.assertEquals(lists.train.labels, { 0, 1 })
  lu.assertEquals(lists.train.paths[1], self.parts.train .. "/n01/images/b.JPEG")
  lu.assertEquals(lists.test, { paths = { self.parts.test .. "/images/v.JPEG" }, labels = { 1 } })
end

function TestTiny:test_wrong_files()
  local function fails(message) lu.assertErrorMsgContains("val_annotations.txt" .. message, tiny.list, {}, self.parts) end
  self:notes "v.JPEG\tn03\t0\n"
  fails ": line 1: there is no class 'n03'"
  self:notes "w.JPEG\tn01\t0\n"
  fails(": line 1: " .. self.parts.test .. "/images/w.JPEG is missing")
  self:notes "v.JPEG n01\n"
  fails ": line 1: expected a file and a class, with tabs between them"
end

os.exit(lu.LuaUnit.run())
