-- nn/conv.lua: convolution over images. y (N, out, H', W') = x (N, C, H, W) * weight (out, C/groups, kH, kW) + bias (out).
-- Options as PyTorch's: out, kernel, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true; kernel, stride,
-- padding and dilation are a number or {rows, columns}. `input` states the channels that x must have; left out, they are
-- taken from x. `init` and `bias_init` draw weight and bias otherwise than by default (nn.initial).

local layer = require "exeunt.nn.layer"
local options = require "exeunt.options"

local conv = {}

local IMAGES = { [4] = true }

function conv.conv2d(given)
  local o = options.check("nn.conv2d", given, {
    out = options.required, kernel = options.required, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true,
    input = options.optional, init = options.optional, bias_init = options.optional,
  })
  layer.count("nn.conv2d", "out", o.out)
  layer.count("nn.conv2d", "groups", o.groups)
  local kernel = layer.pair(o.kernel)
  for _, k in ipairs(kernel) do layer.count("nn.conv2d", "kernel", k) end
  local attrs = { stride = layer.pair(o.stride), padding = layer.pair(o.padding), dilation = layer.pair(o.dilation),
                  groups = o.groups }
  return layer.define("conv2d", function(g, name, x)
    layer.expect("conv2d", name, x, IMAGES, "images (N, C, H, W)")
    local channels = (o.input or x.shape[2]) / o.groups
    if channels ~= math.floor(channels) or o.out % o.groups ~= 0 then
      error(("%s: conv2d: %d channels in and %d out do not divide into %d groups")
            :format(name, o.input or x.shape[2], o.out, o.groups), 0)
    end
    local fan_in = channels * kernel[1] * kernel[2]
    local inputs = { x, layer.weight(g, name .. ".weight", { o.out, channels, kernel[1], kernel[2] }, fan_in, o.init) }
    if o.bias then inputs[3] = layer.weight(g, name .. ".bias", { o.out }, fan_in, o.bias_init) end
    return g:node(name, "conv2d", inputs, attrs)
  end)
end

return conv
