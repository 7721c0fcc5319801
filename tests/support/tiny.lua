-- tiny.lua: data and networks for tests of training: 96 images of 1x8x8 in four classes (the class is the bright quadrant,
-- under noise), a network of two stages. Everything follows from fixed numbers. Also ways to be killed.

local ex = require "exeunt"
local ffi = require "ffi"
local folder = dofile "tests/support/folder.lua"
local split = require "exeunt.data.split"

local tiny = {}

tiny.folder, tiny.remove = folder.make, folder.remove

-- -- Data ---------------------------------------------------------------------------------------------------

-- count images from number `first` on: pixels 0..255 and labels 0..3.
local function draw(first, count)
  local images, labels = ex.tensor.zeros({ count, 1, 8, 8 }, "uint8"), ex.tensor.zeros({ count }, "int32")
  local pixel, label = images:data(), labels:data()
  local noise = first * 7919 + 1
  for i = 0, count - 1 do
    label[i] = (first + i) * 5 % 4
    for y = 0, 7 do
      for x = 0, 7 do
        noise = (noise * 16807) % 2147483647
        local quadrant = (y < 4 and 0 or 2) + (x < 4 and 0 or 1)
        pixel[i * 64 + y * 8 + x] = noise % 120 + (quadrant == label[i] and 70 or 0)
      end
    end
  end
  return images, labels
end

-- data{ train = 96, validation = 64, test = 64 }: like ex.data.open's.
function tiny.data(counts)
  counts = counts or {}
  local data = { name = "tiny", shape = { 1, 8, 8 }, classes = 4, class_names = { "a", "b", "c", "d" }, mean = { 0.3 },
                 std = { 0.15 }, checksum = "none" }
  local first = 0
  for _, name in ipairs { "train", "validation", "test" } do
    local count = counts[name] or (name == "train" and 96 or 64)
    local images, labels = draw(first, count)
    data[name] = split.new { name = name, set = "tiny", images = images, labels = labels, mean = data.mean, std = data.std,
                             index = ex.tensor.arange(0, count, 1, "int32") }
    first = first + count
  end
  return data
end

-- -- Networks -----------------------------------------------------------------------------------------------

-- net{ widths = {4, 8}, exits = true, batch_norm = true, seed }: a VGG with one convolution a stage, and an exit after each.
function tiny.net(given)
  given = given or {}
  local net = ex.models.vgg { input = { 1, 8, 8 }, classes = 4, widths = given.widths or { 4, 8 }, depths = 1, seed = given.seed,
                              batch_norm = given.batch_norm }
  if given.exits ~= false then ex.exits.anticipate(net) end
  return net
end

-- -- Ways to be killed ----------------------------------------------------------------------------------------

ffi.cdef "int32_t getpid(void); int kill(int32_t pid, int number);"

-- Calls f when a split's loaders have given `after` batches.
local function at_batch(from, after, f)
  local make, given = from.loader, 0
  function from:loader(o)
    local loader = make(self, o)
    local next = loader.next
    function loader.next(l)
      if given == after then f() end
      given = given + 1
      return next(l)
    end
    return loader
  end
end

-- The loader raises instead of giving another batch.
function tiny.stop_after(from, after)
  at_batch(from, after, function() error("as if killed", 0) end)
end

-- The process sends itself a signal ("KILL", "INT", "TERM").
function tiny.signal_after(from, name, after)
  at_batch(from, after, function() ffi.C.kill(ffi.C.getpid(), ({ KILL = 9, INT = 2, TERM = 15 })[name]) end)
end

return tiny
