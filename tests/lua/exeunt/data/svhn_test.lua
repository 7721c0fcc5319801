-- svhn_test.lua: images and labels from MAT files; label 10 is the digit 0; every disagreement names its file.

local lu = require "luaunit"
local svhn = require "exeunt.data.svhn"
local command = dofile "tests/support/command.lua"
local mat = dofile "tests/support/mat.lua"

TestSvhn = {}

-- X of (2, 3, 1, count): pixel (row, column) of image n is 100 n + 10 row + column, all from 0.
local function pixels(count)
  local out = {}
  for n = 0, count - 1 do
    for column = 0, 2 do
      for row = 0, 1 do out[#out + 1] = string.char((100 * n + 10 * row + column) % 256) end
    end
  end
  return mat.array("X", { 2, 3, 1, count }, table.concat(out))
end

function TestSvhn:setUp()
  self.folder = command.folder()
  self.m = { shape = { 1, 2, 3 }, classes = 10, train = 3, test = 1 }
  self.files = { train = self.folder .. "/train.mat", test = self.folder .. "/test.mat" }
  command.write(self.files.train, mat.file(pixels(3), mat.array("y", { 3, 1 }, "\1\10\9")))
  command.write(self.files.test, mat.file(mat.array("y", { 1, 1 }, "\5"), pixels(1)))
end

function TestSvhn:tearDown() command.remove(self.folder) end

function TestSvhn:test_loads()
  local sets = svhn.load(self.m, self.files)
  lu.assertEquals(sets.train.labels:to_list(), { 1, 0, 9 })
  lu.assertEquals(sets.train.labels.dtype, "int32")
  lu.assertEquals(sets.train.images.shape, { 3, 1, 2, 3 })
  lu.assertEquals(sets.train.images[1][1]:to_list(), { { 0, 1, 2 }, { 10, 11, 12 } })
  lu.assertEquals(sets.train.images[3][1]:to_list(), { { 200, 201, 202 }, { 210, 211, 212 } })
  lu.assertEquals(sets.test.labels:to_list(), { 5 })
end

function TestSvhn:test_wrong_files()
  local function fails(message) lu.assertErrorMsgContains(self.files.train .. ": " .. message, svhn.load, self.m, self.files) end
  local function train(...) command.write(self.files.train, mat.file(...)) end
  train(pixels(3), mat.array("y", { 3, 1 }, "\1\11\9"))
  fails "label 1 (counted from 0) is 11, expected 1 to 10, where 10 is the digit 0"
  train(pixels(3), mat.array("y", { 3, 1 }, "\1\1\0"))
  fails "label 2 (counted from 0) is 0, expected 1 to 10"
  train(pixels(3), mat.array("y", { 2, 1 }, "\1\1"))
  fails "holds 2 labels, the images are 3"
  train(pixels(2), mat.array("y", { 2, 1 }, "\1\1"))
  fails "holds 2 images, expected 3"
  train(pixels(3))
  fails "it holds no array 'y'"
  train(mat.array("X", { 3, 2, 1, 3 }, ("x"):rep(18)))
  fails "X holds (3, 1, 2, 3) from its last axis to its first, expected images of (1, 2, 3)"
  train(mat.array("X", { 2, 9 }, ("x"):rep(18)))
  fails "X holds (9, 2)"
  command.write(self.files.train, "MATLAB 7.3 MAT-file")
  fails "19 bytes, a MAT file of version 5 has more"
end

os.exit(lu.LuaUnit.run())
