-- models/vgg.lua: VGG (Simonyan and Zisserman 2014) with free widths and depths. A stage is `depths` 3x3 convolutions of
-- one width, each with batch norm (or not) and relu, then a 2x2 max pool; names count as in torchvision: features.0, ...
-- Options: input = {C, H, W}, classes, widths = {32, 64, 128}, depths = 2 or a list, batch_norm = true,
-- bias = not batch_norm (of the convolutions), head = "gap" (global average pool, linear), "flatten" (all numbers of the
-- last stage into one linear layer; an earlier stage, which has more, gets "gap"), or a function.
-- VGG-16 without its 4096-wide layers is { widths = {64, 128, 256, 512, 512}, depths = {2, 2, 3, 3, 3}, batch_norm = false }.

local core = require "exeunt.core"
local heads = require "exeunt.models.heads"
local network = require "exeunt.network"
local nn = require "exeunt.nn"
local options = require "exeunt.options"
local stages = require "exeunt.models.stages"

-- The head function; last() gives the shape of the last stage.
local function head_of(name, last)
  if type(name) == "function" then return name end
  if name == "gap" then return heads.gap end
  if name ~= "flatten" then
    core.raise('models.vgg: head must be "gap", "flatten" or a function, got %s', tostring(name))
  end
  return function(g, prefix, value, width, classes)
    local head = heads.same_shape(value.shape, last()) and heads.flatten or heads.gap
    return head(g, prefix, value, width, classes)
  end
end

return function(given)
  local o = options.check("models.vgg", given or {}, {
    input = { 1, 28, 28 }, classes = 10, widths = { 32, 64, 128 }, depths = 2, batch_norm = true, bias = options.optional,
    head = "gap", seed = options.optional,
  })
  local widths = stages.list("models.vgg", "widths", o.widths)
  local depths = stages.each("models.vgg", "depths", o.depths, #widths)
  local bias = o.bias
  if bias == nil then bias = not o.batch_norm end
  local last
  local function build(g, x)
    local index = 0
    local function append(layer)
      x = layer(g, "features." .. index, x)
      index = index + 1
    end
    for stage, width in ipairs(widths) do
      for _ = 1, depths[stage] do
        append(nn.conv2d { out = width, kernel = 3, padding = 1, bias = bias })
        if o.batch_norm then append(nn.batch_norm()) end
        append(nn.relu())
      end
      append(nn.max_pool { kernel = 2 })
      g:stage(x)
    end
    last = x.shape
    return x
  end
  return network {
    input = o.input, classes = o.classes, seed = o.seed, build = build,
    head = head_of(o.head, function() return last end),
  }
end
