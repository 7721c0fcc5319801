-- data/cifar.lua: CIFAR-10 and CIFAR-100 in their binary form (core/io/cifar.c): training images in one file or several,
-- one file of test images. The files together must hold as many images as the manifest says; it normalises nothing.

local core = require "exeunt.core"
local file = require "exeunt.file"
local labels = require "exeunt.data.labels"
local tensor = require "exeunt.tensor"
local C = core.C

local cifar = {}

-- How many records a file holds.
local function count_of(path, record)
  local bytes = file.stat(path)
  if bytes == 0 or bytes % record ~= 0 then
    core.raise("%s: %.0f bytes, expected a multiple of %d, the size of an image with its label", path, bytes, record)
  end
  return bytes / record
end

local function part(t, start, count) return tensor.wrap(C.ex_tensor_slice(t.handle, 0, start, count, 1)) end

-- The images and labels of some files, one after the other.
local function read(m, what, paths, expected)
  local label_bytes, counts, total = m.label_bytes or 1, {}, 0
  for i, path in ipairs(paths) do
    counts[i] = count_of(path, label_bytes + m.shape[1] * m.shape[2] * m.shape[3])
    total = total + counts[i]
  end
  if total ~= expected then
    core.raise("%s: the %s files hold %d images, expected %d", table.concat(paths, ", "), what, total, expected)
  end
  local images, of = labels.make(total, m.shape)
  local start = 0
  for i, path in ipairs(paths) do
    core.check(C.ex_cifar_read(path, m.classes, label_bytes, part(images, start, counts[i]).handle,
                               part(of, start, counts[i]).handle))
    start = start + counts[i]
  end
  return { images = images, labels = of }
end

-- load(m, files): files: the paths by role -> { train = { images, labels }, test = { images, labels } }:
-- images uint8 (N, C, H, W), labels int32 (N).
function cifar.load(m, files)
  local train = {}
  for i = 1, 5 do train[#train + 1] = files["train_" .. i] end
  return { train = read(m, "training", train, m.train), test = read(m, "test", { files.test }, m.test) }
end

return cifar
