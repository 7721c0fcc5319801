-- gtsrb_test.lua: class folders and CSV files; each wrong line has its message.

local lu = require "luaunit"
local file = require "exeunt.file"
local gtsrb = require "exeunt.data.gtsrb"
local command = dofile "tests/support/command.lua"

TestGtsrb = {}

function TestGtsrb:setUp()
  self.folder = command.folder()
  self.parts = { train = self.folder .. "/train", test = self.folder .. "/test", test_csv = self.folder .. "/test.csv" }
  for _, name in ipairs { "train/00000/a.ppm", "train/00001/b.ppm", "train/00001/notes.txt", "test/0.ppm", "test/1.ppm" } do
    file.make_folder((self.folder .. "/" .. name):match "^(.*)/")
    command.write(self.folder .. "/" .. name, "x")
  end
  self:csv "0.ppm;5;1\r\n1.ppm;6;0\r\n"
end

function TestGtsrb:tearDown() command.remove(self.folder) end

function TestGtsrb:csv(lines, head) command.write(self.parts.test_csv, (head or "Filename;Width;ClassId\r\n") .. lines) end

function TestGtsrb:test_lists()
  local names, lists = gtsrb.list({ classes = 2 }, self.parts)
  lu.assertEquals(names, { "00000", "00001" })
  lu.assertEquals(lists.train, { paths = { self.parts.train .. "/00000/a.ppm", self.parts.train .. "/00001/b.ppm" }, labels = { 0, 1 } })
  lu.assertEquals(lists.test, { paths = { self.parts.test .. "/0.ppm", self.parts.test .. "/1.ppm" }, labels = { 1, 0 } })
end

function TestGtsrb:test_lists_by_csv_alone()
  command.write(self.folder .. "/train.csv", "Filename;ClassId\n1.ppm;1\n0.ppm;0\n")
  local parts = { train = self.parts.test, train_csv = self.folder .. "/train.csv", test = self.parts.test,
                  test_csv = self.parts.test_csv }
  local names, lists = gtsrb.list({ classes = 2 }, parts)
  lu.assertEquals(names, { "0", "1" })
  lu.assertEquals(lists.train.labels, { 1, 0 })
end

function TestGtsrb:test_wrong_files()
  local function fails(message, classes) lu.assertErrorMsgContains(message, gtsrb.list, { classes = classes or 2 }, self.parts) end
  fails("/train: 2 class folders, expected 3", 3)
  self:csv "2.ppm;5;1\n"
  fails("test.csv: line 2: " .. self.parts.test .. "/2.ppm is missing")
  self:csv "0.ppm;5;2\n"
  fails "test.csv: line 2: label 2, expected 0 to 1"
  self:csv "0.ppm;5\n"
  fails "test.csv: line 2: label missing, expected 0 to 1"
  self:csv "../x;5;1\n"
  fails "test.csv: line 2: expected the name of a file, got '../x'"
  self:csv ""
  fails "test.csv: it lists no images"
  self:csv("", "Name;ClassId\n")
  fails "test.csv: line 1: expected the columns Filename and ClassId"
end

os.exit(lu.LuaUnit.run())
