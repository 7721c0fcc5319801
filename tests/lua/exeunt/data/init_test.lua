-- init_test.lua: data sets opened by name and path; checksums; what is listed and verified.

local lu = require "luaunit"
local data = require "exeunt.data"
local file = require "exeunt.file"
local command = dofile "tests/support/command.lua"
local dataset = dofile "tests/support/dataset.lua"

TestData = {}

function TestData:setUp()
  self.folder = command.folder()
  self.path = dataset.make(self.folder)
end

function TestData:tearDown() command.remove(self.folder) end

function TestData:test_opens()
  local d = data.open(self.path, { validation = 10, train_limit = 20, test_limit = 5 })
  lu.assertEquals(d.name, "small")
  lu.assertEquals(d.shape, { 1, 4, 5 })
  lu.assertEquals(d.classes, 3)
  lu.assertEquals(d.class_names, { "a", "b", "c" })
  lu.assertEquals({ d.mean, d.std }, { { 0.5 }, { 0.25 } })
  lu.assertNil(d.class_weights)
  lu.assertEquals({ d.train.count, d.validation.count, d.test.count }, { 20, 10, 5 })
  lu.assertEquals(d.train.images.shape, { 40, 1, 4, 5 })
  lu.assertEquals(d.train.index.shape, { 20 })
  lu.assertEquals(#d.checksum, 64)
  lu.assertEquals(tostring(d), "small: images of (1, 4, 5), 3 classes; train 20, validation 10, test 5")
  lu.assertEquals(tostring(d.validation), "validation split of small, 10 images")
end

function TestData:test_class_weights()
  command.write(self.path, dataset.manifest .. "class_weights: [1, 2, 0.5]\n")
  lu.assertEquals(data.open(self.path).class_weights, { 1, 2, 0.5 })
end

function TestData:test_opening_again_shares_the_images()
  local a = data.open(self.path)
  lu.assertIs(data.open(self.path, { seed = 1 }).train.images, a.train.images)
  command.write(self.folder .. "/test-labels", dataset.idx({ 12 }, ("\1"):rep(12)))
  local b = data.open(self.path)
  lu.assertNotIs(b.train.images, a.train.images)
  lu.assertNotEquals(b.checksum, a.checksum)
  lu.assertEquals(b.test.labels:to_list()[1], 1)
  lu.assertEquals(a.test.labels:to_list()[1], 0)
end

-- The manifest of the tests with a checksum for the test labels.
function TestData:expect(sums)
  command.write(self.path, (dataset.manifest:gsub("name: test%-labels", "name: test-labels, sha256: " .. sums)))
end

function TestData:test_checksums()
  local right, wrong = file.digest(self.folder .. "/test-labels"), ("0"):rep(63) .. "a"
  self:expect(right)
  data.open(self.path)
  self:expect(("[%s, %s]"):format(wrong, right))
  data.open(self.path)
  self:expect(wrong)
  lu.assertErrorMsgContains(("data set 'small': %s/test-labels is damaged or another file: its sha256 is %s, expected %s")
    :format(self.folder, right, wrong), data.open, self.path)
  local v = data.verify(self.path)
  lu.assertFalse(v.ok)
  lu.assertTrue(v.here)
  lu.assertEquals(v.files[4].actual, right)
  lu.assertEquals(v.files[4].expected, { wrong })
  lu.assertFalse(v.files[4].ok)
  lu.assertTrue(v.files[1].ok)
end

function TestData:test_mean_and_std_in_place_of_the_manifest_s()
  local d = data.open(self.path, { mean = { 0.25 }, std = { 2 } })
  lu.assertEquals({ d.mean, d.std, d.train.mean }, { { 0.25 }, { 2 }, { 0.25 } })
  d = data.open(self.path, { channels = 3, mean = { 0.1, 0.2, 0.3 } })
  lu.assertEquals({ d.mean, d.std }, { { 0.1, 0.2, 0.3 }, { 0.25, 0.25, 0.25 } })
  local function refused(message, o) lu.assertErrorMsgContains(message, data.open, self.path, o) end
  refused("data.open: std: expected a list of a number above 0 for each channel", { std = { 0 } })
  refused("data.open: mean: expected a list of a number for each channel", { mean = 0.5 })
  refused("data.open: mean and std: expected a number for each channel (1), or one for all", { mean = { 1, 2 } })
end

function TestData:test_size_and_channels()
  local d = data.open(self.path, { size = 8, channels = 3 })
  lu.assertEquals(d.shape, { 3, 8, 8 })
  lu.assertEquals(d.train.images.shape, { 40, 3, 8, 8 })
  lu.assertEquals({ d.mean, d.std }, { { 0.5, 0.5, 0.5 }, { 0.25, 0.25, 0.25 } })
  lu.assertEquals(d.train.images[1][1]:to_list(), d.train.images[1][3]:to_list())
  lu.assertIs(data.open(self.path, { size = 8, channels = 3 }).train.images, d.train.images)
  lu.assertEquals(data.open(self.path, { size = { 4, 5 } }).train.images[2]:to_list(), data.open(self.path).train.images[2]:to_list())
  lu.assertEquals(data.open(self.path, { size = { 2, 5 }, resize = "bilinear" }).test.images.shape, { 12, 1, 2, 5 })
  local function fails(message, o) lu.assertErrorMsgContains(message, data.open, self.path, o) end
  fails("data.open: size: expected pixels of a side or { height, width }, got 0", { size = 0 })
  fails("data.open: size: expected pixels of a side or { height, width }, got a list", { size = { 1, 2, 3 } })
  fails("data.open: resize: expected 'bilinear' or 'bicubic', got nearest", { size = 8, resize = "nearest" })
  fails("data.open: channels: expected 1 or 3, got 2", { channels = 2 })
end

function TestData:test_missing_files()
  file.remove(self.folder .. "/train-labels")
  lu.assertErrorMsgContains("train-labels is missing; to get it: make it again", data.open, self.path)
  local v = data.verify(self.path)
  lu.assertFalse(v.ok)
  lu.assertFalse(v.here)
  lu.assertStrContains(v.missing, "train-labels is missing")
end

function TestData:test_options()
  local function open(o) return data.open(self.path, o) end
  lu.assertErrorMsgContains("data.open: unknown option 'validaton'; did you mean 'validation'?", open, { validaton = 1 })
  lu.assertErrorMsgContains("validation: expected a whole number, 0 or more, got -1", open, { validation = -1 })
  lu.assertErrorMsgContains("small.yaml does not say how many images are usual; give a number", open, { validation = "usual" })
  lu.assertErrorMsgContains("train_limit: expected a whole number, 1 or more, got 0", open, { train_limit = 0 })
  lu.assertErrorMsgContains("test_limit: expected a whole number, 1 or more, got 1.5", open, { test_limit = 1.5 })
  lu.assertErrorMsgContains("seed: expected a whole number, 0 or more, got x", open, { seed = "x" })
  lu.assertErrorMsgContains("data.open: augment: unknown option 'shfit'", open, { augment = { shfit = 1 } })
  lu.assertErrorMsgContains("validation is 40, the training files hold 40 images", open, { validation = 40 })
end

function TestData:test_list()
  local names = {}
  for i, e in ipairs(data.list()) do
    names[i] = e.name
    lu.assertNil(e.problem)
    lu.assertEquals(e.here, e.folder ~= nil)
    lu.assertEquals(e.here, e.missing == nil)
    lu.assertEquals(#e.files > 0, e.here)
  end
  lu.assertEquals(names, { "cifar-10", "cifar-100", "eurosat", "fashion-mnist", "gtsrb", "mnist", "svhn", "tiny-imagenet" })
end

-- The real thing, where its package is installed.
function TestData:test_fashion_mnist()
  if not data.list()[4].here then lu.skip "dataset-fashion-mnist is not installed" end
  local d = data.open("fashion-mnist", { validation = 9000 })
  lu.assertEquals({ d.train.count, d.validation.count, d.test.count }, { 51000, 9000, 10000 })
  local counts = {}
  for _, y in ipairs(d.test.labels:to_list()) do counts[y + 1] = (counts[y + 1] or 0) + 1 end
  lu.assertEquals(counts, { 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000 })
  -- the manifest's mean and deviation make the training pixels standard
  local loader = d.train:loader { batch = 1000 }
  local sum, squares, count = 0, 0, 0
  loader:start()
  for n in loader.next, loader do
    local pixels = loader.images:dense():data()
    for i = 0, n * 784 - 1 do sum, squares = sum + pixels[i], squares + pixels[i] * pixels[i] end
    count = count + n * 784
  end
  lu.assertAlmostEquals(sum / count, 0, 0.01)
  lu.assertAlmostEquals(squares / count, 1, 0.01)
end

os.exit(lu.LuaUnit.run())
