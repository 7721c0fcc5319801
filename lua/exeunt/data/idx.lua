-- data/idx.lua: images and labels from IDX files (core/io/idx.c), checked against their manifest: counts, shape, range of
-- the labels. Gives tensors; splits and normalises nothing.

local core = require "exeunt.core"
local labels = require "exeunt.data.labels"
local tensor = require "exeunt.tensor"
local C, ffi = core.C, core.ffi

local idx = {}

local function shape_text(shape) return "(" .. table.concat(shape, ", ") .. ")" end

local function describe(handle)
  local info = ffi.new "ex_tensor_info"
  C.ex_tensor_describe(handle, info)
  local shape = {}
  for i = 1, info.ndim do shape[i] = info.dim[i - 1] end
  return info, shape
end

-- Grey images come as (N, H, W), others as (N, C, H, W); both become (N, C, H, W).
local function images_of(path, count, want)
  local raw = core.own(C.ex_idx_read(path), C.ex_tensor_free)
  local _, shape = describe(raw)
  local full = #shape == 3 and { shape[1], 1, shape[2], shape[3] } or shape
  if #full ~= 4 or full[2] ~= want[1] or full[3] ~= want[2] or full[4] ~= want[3] then
    core.raise("%s: holds %s, expected images of (%d, %d, %d)", path, shape_text(shape), unpack(want))
  end
  if full[1] ~= count then core.raise("%s: holds %d images, expected %d", path, full[1], count) end
  local images = tensor.wrap(C.ex_tensor_reshape(raw, 4, (core.ints(full))))
  core.release(raw, C.ex_tensor_free)
  return images
end

local function labels_of(path, count, classes)
  local raw = core.own(C.ex_idx_read(path), C.ex_tensor_free)
  local info, shape = describe(raw)
  if #shape ~= 1 then core.raise("%s: holds %s, expected labels (N)", path, shape_text(shape)) end
  if shape[1] ~= count then core.raise("%s: holds %d labels, the images are %d", path, shape[1], count) end
  labels.check(path, ffi.cast("const uint8_t *", info.data), count, classes)
  local out = tensor.wrap(C.ex_tensor_new(C.EX_INT32, 1, (core.ints(shape))))
  core.check(C.ex_tensor_copy(out.handle, raw))
  core.release(raw, C.ex_tensor_free)
  return out
end

-- load(m, files): files: the paths by role -> { train = { images, labels }, test = { images, labels } }:
-- images uint8 (N, C, H, W), labels int32 (N).
function idx.load(m, files)
  local out = {}
  for _, part in ipairs { "train", "test" } do
    out[part] = { images = images_of(files[part .. "_images"], m[part], m.shape),
                  labels = labels_of(files[part .. "_labels"], m[part], m.classes) }
  end
  return out
end

return idx
