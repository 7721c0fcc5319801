-- data/statistics.lua: what a manifest may leave open, counted from the training files: each channel's mean and deviation, how
-- many images each class has, and class weights from that.
--
--   mean_c = sum over n, h, w of x[n, c, h, w] / 255 / (N H W)          std_c: the root of the mean squared distance to it
--   weight_k = N / (K n_k)                                              K classes, n_k images of class k

local core = require "exeunt.core"

local statistics = {}

-- channels(images, labels) -> { mean = list, std = list } of uint8 images (N, C, H, W) whose label is not -1 (an image that
-- could not be read); of pixels scaled to 0..1. A constant channel gets the deviation 1: there is nothing to scale.
function statistics.channels(images, labels)
  local data, label, shape = images:data(), labels:data(), images.shape
  local channels, pixels, used = shape[2], shape[3] * shape[4], 0
  local counts = core.ffi.new("double[?]", channels * 256)
  for n = 0, shape[1] - 1 do
    if label[n] >= 0 then
      used = used + 1
      for c = 0, channels - 1 do
        local from = (n * channels + c) * pixels
        for p = from, from + pixels - 1 do
          local cell = c * 256 + data[p]
          counts[cell] = counts[cell] + 1
        end
      end
    end
  end
  local out, total = { mean = {}, std = {} }, used * pixels
  for c = 0, channels - 1 do
    local sum, squares = 0, 0
    for v = 0, 255 do sum = sum + v * counts[c * 256 + v] end
    local mean = sum / total
    for v = 0, 255 do squares = squares + (v - mean) ^ 2 * counts[c * 256 + v] end
    out.mean[c + 1], out.std[c + 1] = mean / 255, squares > 0 and math.sqrt(squares / total) / 255 or 1
  end
  return out
end

-- counts(labels, classes) -> list of how many labels are 0, 1, ...; -1 is passed over.
function statistics.counts(labels, classes)
  local counts, data = {}, labels:data()
  for k = 1, classes do counts[k] = 0 end
  for i = 0, labels.shape[1] - 1 do
    if data[i] >= 0 then counts[data[i] + 1] = counts[data[i] + 1] + 1 end
  end
  return counts
end

-- weights(counts) -> list: inverse to the counts, their mean over the images 1. A class without images is an error that `where`
-- begins.
function statistics.weights(where, counts)
  local total, weights = 0, {}
  for _, n in ipairs(counts) do total = total + n end
  for k, n in ipairs(counts) do
    if n == 0 then core.raise("%s: class_weights: class %d has no training images to balance", where, k - 1) end
    weights[k] = total / (#counts * n)
  end
  return weights
end

return statistics
