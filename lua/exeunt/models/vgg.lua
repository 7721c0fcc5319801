-- models/vgg.lua: VGG (Simonyan and Zisserman 2014) with free widths and depths. A stage is `depths` 3x3 convolutions of
-- one width, each with batch norm (or not) and relu, then a 2x2 max pool; names count as in torchvision: features.0, ...
-- Options: input = {C, H, W}, classes, widths = {32, 64, 128}, depths = 2 or a list, batch_norm = true,
-- bias = not batch_norm (of the convolutions), stages: the numbers of the poolings that an exit may follow (all; the last always),
-- head = "gap" (global average pool, linear), "flatten" (all numbers of the last stage into one linear layer) or a function;
-- an earlier stage than the last gets "gap" instead of a named head, init = "layers" (PyTorch's defaults) or "torchvision".
-- VGG-16 without its 4096-wide layers is { widths = {64, 128, 256, 512, 512}, depths = {2, 2, 3, 3, 3}, batch_norm = false }.

local core = require "exeunt.core"
local heads = require "exeunt.models.heads"
local initial = require "exeunt.nn.initial"
local network = require "exeunt.network"
local nn = require "exeunt.nn"
local options = require "exeunt.options"
local stages = require "exeunt.models.stages"

local INIT = {
  layers = {},
  torchvision = { conv = initial.kaiming "fan_out", linear = initial.normal(0.01), bias = initial.zeros() },
}

-- The head function; last() gives the shape of the last stage.
local function head_of(where, o, init, last)
  local gap = heads.pooled("classifier", init)
  return heads.choice(where, o.head, { gap = gap, flatten = heads.last(heads.flatten, last, gap) })
end

local function check_size(where, input, pools)
  local least = 2 ^ pools
  if type(input) == "table" and #input == 3 and math.min(input[2], input[3]) < least then
    core.raise("%s: images of %d x %d are too small for %d poolings: they need %d pixels", where, input[2], input[3], pools, least)
  end
end

return function(given, where)
  where = where or "models.vgg"
  local o = options.check(where, given or {}, {
    input = { 1, 28, 28 }, classes = 10, widths = { 32, 64, 128 }, depths = 2, batch_norm = true, bias = options.optional,
    stages = options.optional, head = "gap", init = "layers", seed = options.optional,
  })
  local widths = stages.list(where, "widths", o.widths)
  local depths = stages.each(where, "depths", o.depths, #widths)
  local ends = stages.ends(where, "stages", o.stages, #widths)
  local init = options.choice(where, "init", o.init, INIT)
  check_size(where, o.input, #widths)
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
        append(nn.conv2d { out = width, kernel = 3, padding = 1, bias = bias, init = init.conv, bias_init = init.bias })
        if o.batch_norm then append(nn.batch_norm()) end
        append(nn.relu())
      end
      append(nn.max_pool { kernel = 2 })
      if ends[stage] then g:stage(x) end
    end
    last = x.shape
    return x
  end
  return network {
    input = o.input, classes = o.classes, seed = o.seed, build = build,
    head = head_of(where, o, init, function() return last end),
  }
end
