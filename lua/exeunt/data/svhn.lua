-- data/svhn.lua: SVHN, format 2 (Netzer et al. 2011): MATLAB files of version 5 (core/io/mat.c), each with images X, (H, W, C,
-- N) as MATLAB counts, and labels y (N, 1) from 1 to 10, where 10 is the digit 0. Gives labels 0 to 9, each digit its own.

local core = require "exeunt.core"
local labels = require "exeunt.data.labels"
local tensor = require "exeunt.tensor"
local C, ffi = core.C, core.ffi

local svhn = {}

local function array(path, name) return tensor.wrap(C.ex_mat_read(path, name)) end

-- X comes as (N, C, W, H).
local function images_of(path, count, want)
  local x = array(path, "X")
  local s = x.shape
  if #s ~= 4 or s[2] ~= want[1] or s[4] ~= want[2] or s[3] ~= want[3] then
    core.raise("%s: X holds %s from its last axis to its first, expected images of (%d, %d, %d)", path, tostring(s), unpack(want))
  end
  if s[1] ~= count then core.raise("%s: holds %d images, expected %d", path, s[1], count) end
  local images, of = labels.make(count, want)
  local upright = tensor.wrap(C.ex_tensor_permute(x.handle, (core.ints { 0, 1, 3, 2 })))
  core.check(C.ex_tensor_copy(images.handle, upright.handle))
  x:free()
  return images, of
end

local function fill_labels(path, of, count, classes)
  local y = array(path, "y")
  if y:count() ~= count then core.raise("%s: holds %d labels, the images are %d", path, y:count(), count) end
  local info = ffi.new "ex_tensor_info"
  C.ex_tensor_describe(y.handle, info)
  local from, to = ffi.cast("const uint8_t *", info.data), of:data()
  for i = 0, count - 1 do
    if from[i] < 1 or from[i] > classes then
      core.raise("%s: label %d (counted from 0) is %d, expected 1 to %d, where %d is the digit 0", path, i, from[i], classes, classes)
    end
    to[i] = from[i] % classes
  end
end

-- load(m, files): files: the paths by role -> { train = { images, labels }, test = { images, labels } }:
-- images uint8 (N, C, H, W), labels int32 (N).
function svhn.load(m, files)
  local out = {}
  for _, part in ipairs { "train", "test" } do
    local images, of = images_of(files[part], m[part], m.shape)
    fill_labels(files[part], of, m[part], m.classes)
    out[part] = { images = images, labels = of }
  end
  return out
end

return svhn
