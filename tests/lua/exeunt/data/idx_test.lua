-- idx_test.lua: images and labels that agree with their manifest and each other; every disagreement names its file.

local lu = require "luaunit"
local idx = require "exeunt.data.idx"
local command = dofile "tests/support/command.lua"
local dataset = dofile "tests/support/dataset.lua"

TestIdx = {}

function TestIdx:setUp()
  self.folder = command.folder()
  dataset.make(self.folder)
  self.m = { shape = { 1, 4, 5 }, classes = 3, train = 40, test = 12 }
  self.files = {}
  for _, role in ipairs { "train_images", "train_labels", "test_images", "test_labels" } do
    self.files[role] = self.folder .. "/" .. role:gsub("_", "-")
  end
end

function TestIdx:tearDown() command.remove(self.folder) end

function TestIdx:test_loads()
  local sets = idx.load(self.m, self.files)
  local images, labels = sets.train.images, sets.train.labels
  lu.assertEquals(images.shape, { 40, 1, 4, 5 })
  lu.assertEquals(images.dtype, "uint8")
  lu.assertEquals(images[40][1][4][5], (7 * 39 + 19) % 256)
  lu.assertEquals(labels.dtype, "int32")
  lu.assertEquals(labels:to_list()[5], 1)
  lu.assertEquals(sets.test.images.shape, { 12, 1, 4, 5 })
end

function TestIdx:test_channels()
  command.write(self.files.train_images, dataset.idx({ 40, 3, 4, 5 }, ("x"):rep(2400)))
  command.write(self.files.test_images, dataset.idx({ 12, 3, 4, 5 }, ("x"):rep(720)))
  self.m.shape = { 3, 4, 5 }
  lu.assertEquals(idx.load(self.m, self.files).train.images.shape, { 40, 3, 4, 5 })
end

function TestIdx:fails(role, text, message)
  command.write(self.files[role], text)
  lu.assertErrorMsgContains(self.files[role] .. ": " .. message, idx.load, self.m, self.files)
end

function TestIdx:test_wrong_shapes()
  self:fails("train_images", dataset.idx({ 40, 5, 4 }, ("x"):rep(800)), "holds (40, 5, 4), expected images of (1, 4, 5)")
end

function TestIdx:test_images_without_rows()
  self:fails("train_images", dataset.idx({ 40, 20 }, ("x"):rep(800)), "holds (40, 20), expected images of (1, 4, 5)")
end

function TestIdx:test_wrong_counts()
  self:fails("test_images", dataset.images(11), "holds 11 images, expected 12")
end

function TestIdx:test_labels_and_images_disagree()
  self:fails("train_labels", dataset.labels(39), "holds 39 labels, the images are 40")
end

function TestIdx:test_labels_of_two_axes()
  self:fails("train_labels", dataset.idx({ 20, 2 }, ("\0"):rep(40)), "holds (20, 2), expected labels (N)")
end

function TestIdx:test_a_label_out_of_range()
  self:fails("test_labels", dataset.idx({ 12 }, ("\1"):rep(7) .. "\3" .. ("\1"):rep(4)),
             "label 7 (counted from 0) is 3, expected 0 to 2")
end

function TestIdx:test_files_swapped()
  self:fails("train_labels", dataset.images(40), "holds (40, 4, 5), expected labels (N)")
end

function TestIdx:test_no_idx()
  self:fails("train_images", "PNG", "truncated")
  self:fails("train_images", "PNG and more", "not an IDX file")
end

os.exit(lu.LuaUnit.run())
