-- data/labels.lua: what all loaders say about labels, and images and labels made for them to fill.

local core = require "exeunt.core"
local tensor = require "exeunt.tensor"
local C = core.C

local labels = {}

-- outside(data, count, classes): the first label that no class has, and its place, counted from 0; nil if all are fine.
function labels.outside(data, count, classes)
  for i = 0, count - 1 do
    if data[i] < 0 or data[i] >= classes then return data[i], i end
  end
end

-- check(path, data, count, classes): raises a line about the first label that no class has.
function labels.check(path, data, count, classes)
  local label, place = labels.outside(data, count, classes)
  if label then
    core.raise("%s: label %d (counted from 0) is %d, expected 0 to %d", path, place, label, classes - 1)
  end
end

-- make(count, shape) -> images uint8 (count, C, H, W), labels int32 (count), zeros.
function labels.make(count, shape)
  return tensor.wrap(C.ex_tensor_new(C.EX_UINT8, 4, (core.ints { count, unpack(shape) }))),
         tensor.wrap(C.ex_tensor_new(C.EX_INT32, 1, (core.ints { count })))
end

return labels
