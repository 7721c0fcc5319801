-- loader_test.lua: the loader as Lua sees it; the numbers in its batches are tested in tests/core/io/loader_test.c.

local lu = require "luaunit"
local data = require "exeunt.data"
local tensor = require "exeunt.tensor"
local command = dofile "tests/support/command.lua"
local dataset = dofile "tests/support/dataset.lua"

TestLoader = {}

function TestLoader:setUp()
  self.folder = command.folder()
  self.data = data.open(dataset.make(self.folder), { validation = 7, augment = { shift = 1, flip = true } })
end

function TestLoader:tearDown() command.remove(self.folder) end

-- All batches of a pass: their sizes, labels, and images as lists.
local function pass(loader, ...)
  loader:start(...)
  local sizes, labels, images = {}, {}, {}
  for n in loader.next, loader do
    sizes[#sizes + 1] = n
    local y, x = loader.labels:to_list(), loader.images:to_list()
    for i = 1, n do labels[#labels + 1], images[#images + 1] = y[i], x[i] end
  end
  return sizes, labels, images
end

function TestLoader:test_a_pass()
  local loader = self.data.train:loader { batch = 10, augment = false }
  lu.assertEquals(loader.images.shape, { 10, 1, 4, 5 })
  lu.assertEquals(loader.labels.shape, { 10 })
  local sizes, labels, images = pass(loader)
  lu.assertEquals(sizes, { 10, 10, 10, 3 })
  for i, place in ipairs(self.data.train.index:to_list()) do
    lu.assertEquals(labels[i], place % 3)
    lu.assertAlmostEquals(images[i][1][2][3], ((7 * place + 7) % 256 / 255 - 0.5) / 0.25, 1e-6)
  end
  lu.assertTrue(loader:wait() >= 0)
end

function TestLoader:test_an_order_of_ones_own_and_a_later_start()
  local loader = self.data.test:loader { batch = 2 }
  local order = tensor({ 5, 3, 1, 0, 2 }, "int32")
  local sizes, labels = pass(loader, order, 1, 2, 0)
  lu.assertEquals(sizes, { 2, 2, 1 })
  lu.assertEquals(labels, { 2, 0, 1, 0, 2 })
  sizes, labels = pass(loader, order, 1, 2, 2)
  lu.assertEquals(sizes, { 1 })
  lu.assertEquals(labels, { 2 })
end

function TestLoader:test_augmentation_is_the_training_splits_own()
  local _, _, plain = pass(self.data.train:loader { batch = 8, augment = false }, nil, 3, 1)
  local _, _, own = pass(self.data.train:loader { batch = 8 }, nil, 3, 1)
  local _, _, same = pass(self.data.train:loader { batch = 5, augment = { shift = 1, flip = true } }, nil, 3, 1)
  local _, _, later = pass(self.data.train:loader { batch = 8 }, nil, 3, 2)
  lu.assertNotEquals(own, plain)
  lu.assertEquals(own, same)
  lu.assertNotEquals(own, later)
  local _, _, validation = pass(self.data.validation:loader { batch = 8 }, nil, 3, 1)
  local _, _, bare = pass(self.data.validation:loader { batch = 8, augment = false }, nil, 3, 1)
  lu.assertEquals(validation, bare)
end

function TestLoader:test_refuses()
  local train = self.data.train
  local function loader(o) return train:loader(o) end
  lu.assertErrorMsgContains("loader: option 'batch' is missing", loader, {})
  lu.assertErrorMsgContains("loader: batch: expected a whole number above 0, got 0.5", loader, { batch = 0.5 })
  lu.assertErrorMsgContains("unknown option 'agument'; did you mean 'augment'?", loader, { batch = 1, agument = false })
  lu.assertErrorMsgContains("augment: unknown option 'flp'; did you mean 'flip'?", loader,
                            { batch = 1, augment = { flp = true } })
  lu.assertErrorMsgContains("augment: shift: expected a whole number", loader, { batch = 1, augment = { shift = -1 } })
  lu.assertErrorMsgContains("augment: flip: expected true or false, got 1", loader, { batch = 1, augment = { flip = 1 } })
  lu.assertErrorMsgContains("loader: shift is 4, expected 0 to 3", loader, { batch = 1, augment = { shift = 4 } })
  local one = loader { batch = 1 }
  lu.assertErrorMsgContains("no pass was started", one.next, one)
  lu.assertErrorMsgContains("first batch is 34, expected 0 to 33", one.start, one, nil, 0, 0, 34)
  lu.assertErrorMsgContains("index 1 is 40, there are images 0 to 39", one.start, one, tensor({ 40 }, "int32"))
  one:free()
  lu.assertErrorMsgContains("it was freed", one.next, one)
end

-- A loader keeps its set alive, and its two tensors outlive it.
function TestLoader:test_lives()
  local loader = self.data.test:loader { batch = 12 }
  self.data = nil
  collectgarbage()
  loader:start()
  lu.assertEquals(loader:next(), 12)
  local images, labels = loader.images, loader.labels
  loader:free()
  collectgarbage()
  lu.assertEquals(labels:to_list(), { 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2 })
  lu.assertEquals(images.shape, { 12, 1, 4, 5 })
end

os.exit(lu.LuaUnit.run())
