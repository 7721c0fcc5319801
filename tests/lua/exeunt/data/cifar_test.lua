-- cifar_test.lua: CIFAR's binary form in one file and in several, opened by a manifest; every disagreement names its file.

local lu = require "luaunit"
local cifar = require "exeunt.data.cifar"
local data = require "exeunt.data"
local command = dofile "tests/support/command.lua"

TestCifar = {}

-- Records of (1, 2, 3): label bytes, then pixels that count on from `first`.
local function records(labels, first, before)
  local out = {}
  for i, label in ipairs(labels) do
    out[#out + 1] = (before or "") .. string.char(label)
    for p = 0, 5 do out[#out + 1] = string.char((first + 6 * (i - 1) + p) % 256) end
  end
  return table.concat(out)
end

function TestCifar:setUp()
  self.folder = command.folder()
  self.m = { shape = { 1, 2, 3 }, classes = 3, train = 5, test = 2 }
  self.files = {}
  self:put("train_1", records({ 0, 1, 2 }, 0))
  self:put("train_2", records({ 2, 0 }, 100))
  self:put("test", records({ 1, 1 }, 200))
end

function TestCifar:tearDown() command.remove(self.folder) end

function TestCifar:put(role, bytes)
  self.files[role] = self.folder .. "/" .. role
  command.write(self.files[role], bytes)
end

function TestCifar:test_loads()
  local sets = cifar.load(self.m, self.files)
  lu.assertEquals(sets.train.labels:to_list(), { 0, 1, 2, 2, 0 })
  lu.assertEquals(sets.train.images.shape, { 5, 1, 2, 3 })
  lu.assertEquals(sets.train.images[3][1]:to_list(), { { 12, 13, 14 }, { 15, 16, 17 } })
  lu.assertEquals(sets.train.images[5][1]:to_list(), { { 106, 107, 108 }, { 109, 110, 111 } })
  lu.assertEquals(sets.test.labels:to_list(), { 1, 1 })
end

function TestCifar:test_two_label_bytes()
  self.m.label_bytes, self.files.train_2, self.m.train = 2, nil, 2
  self:put("train_1", records({ 2, 1 }, 0, "\9"))
  self:put("test", records({ 1, 0 }, 0, "\19"))
  lu.assertEquals(cifar.load(self.m, self.files).train.labels:to_list(), { 2, 1 })
end

function TestCifar:test_wrong_files()
  local function fails(message) lu.assertErrorMsgContains(message, cifar.load, self.m, self.files) end
  self:put("train_2", records({ 2, 0 }, 100) .. "x")
  fails("train_2: 15 bytes, expected a multiple of 7, the size of an image with its label")
  self:put("train_2", "")
  fails("train_2: 0 bytes, expected a multiple of 7")
  self:put("train_2", records({ 2, 0, 1 }, 100))
  fails("train_2: the training files hold 6 images, expected 5")
  self:put("train_2", records({ 2, 3 }, 100))
  fails("train_2: label 1 (counted from 0) is 3, expected 0 to 2")
  self:put("train_2", records({ 2, 2 }, 100))
  self:put("test", records({ 2 }, 100))
  fails("test: the test files hold 1 images, expected 2")
end

function TestCifar:test_by_a_manifest()
  command.write(self.folder .. "/cf.yaml", [[
name: cf
about: a test
source: nowhere
get: make it again
loader: cifar
folders: [.]
files:
  train_1: { name: train_1 }
  train_2: { name: train_2 }
  test: { name: test }
shape: [1, 2, 3]
classes: [a, b, c]
train: 5
test: 2
validation: 2
class_weights: balanced
]])
  local d = data.open(self.folder .. "/cf.yaml", { validation = "usual" })
  lu.assertEquals({ d.train.count, d.validation.count, d.test.count }, { 3, 2, 2 })
  lu.assertEquals(d.class_weights, { 5 / 6, 5 / 3, 5 / 6 })
  local sum = 0                                            -- pixels 0 to 17 and 100 to 111
  for v = 0, 17 do sum = sum + v end
  for v = 100, 111 do sum = sum + v end
  lu.assertAlmostEquals(d.mean[1], sum / 30 / 255, 1e-12)
  lu.assertIs(data.open(self.folder .. "/cf.yaml").train.images, d.train.images)
end

os.exit(lu.LuaUnit.run())
