-- data/convert.lua: images in memory made another size or number of channels: resized as Pillow does (core/io/resize.c), grey
-- repeated in three channels, colour made grey by ITU-R 601: (19595 R + 38470 G + 7471 B + 32768) / 65536, rounded down.
-- uint8 (N, C, H, W) in and out; what is right already comes back as it is.

local core = require "exeunt.core"
local plan = require "exeunt.plan"
local tensor = require "exeunt.tensor"
local C = core.C

local convert = {}

convert.methods = { bilinear = C.EX_RESIZE_BILINEAR, bicubic = C.EX_RESIZE_BICUBIC }

local function new(shape) return tensor.wrap(C.ex_tensor_new(C.EX_UINT8, 4, (core.ints(shape)))) end

-- resize(images, height, width, method): method: "bilinear" or "bicubic".
function convert.resize(images, height, width, method)
  local s = images.shape
  if s[3] == height and s[4] == width then return images end
  local out = new { s[1], s[2], height, width }
  core.check(C.ex_tensor_resize(out.handle, images.handle, convert.methods[method], plan.team()))
  return out
end

-- channels(images, count): from 1 to 3 or from 3 to 1.
function convert.channels(images, count)
  local s = images.shape
  if s[2] == count then return images end
  if not (s[2] == 1 and count == 3 or s[2] == 3 and count == 1) then
    core.raise("data.open: channels: %d cannot be made of %d", count, s[2])
  end
  local out, pixels = new { s[1], count, s[3], s[4] }, s[3] * s[4]
  local from, to = images:data(), out:data()
  for n = 0, s[1] - 1 do
    for p = 0, pixels - 1 do
      local i, o = n * s[2] * pixels + p, n * count * pixels + p
      if count == 3 then
        to[o], to[o + pixels], to[o + 2 * pixels] = from[i], from[i], from[i]
      else
        to[o] = math.floor((19595 * from[i] + 38470 * from[i + pixels] + 7471 * from[i + 2 * pixels] + 32768) / 65536)
      end
    end
  end
  return out
end

return convert
