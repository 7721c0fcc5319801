-- models/efficientnet.lua: EfficientNet (Tan and Le 2019): the seven rows of B0, made wider and deeper. A row { expand, kernel,
-- stride, width, count } is `count` inverted residuals with squeeze and excitation (mbconv.lua), the first with the stride;
-- they expand to expand x their input's channels and squeeze to a quarter of those. Options: width = 1 and depth = 1 multiply
-- channels (to multiples of 8) and counts (rounded up); dropout = 0.2 before the last layer; stochastic_depth = 0.2, the
-- probability with which the last block would be dropped, growing from 0 along the blocks; eps = 1e-5 and momentum = 0.1 of
-- the batch norms.
-- A head on f channels is a 1x1 convolution to 4 f with batch norm and silu, global average pool, dropout, linear.
-- Names as in torchvision: features.0.0, features.1.0.block.0.0, ..., features.8.0, classifier.1. Stages end after the rows
-- that `stages` lists (all), and after the last.
-- init = "torchvision" (convolutions from N(0, 2 / fan_out), the linear layer from U(+-1 / sqrt(classes))) or "layers"
-- (PyTorch's defaults).

local heads = require "exeunt.models.heads"
local initial = require "exeunt.nn.initial"
local mbconv = require "exeunt.models.mbconv"
local network = require "exeunt.network"
local nn = require "exeunt.nn"
local options = require "exeunt.options"
local stages = require "exeunt.models.stages"

local STEM = 32
local ROWS = { { 1, 3, 1, 16, 1 }, { 6, 3, 2, 24, 2 }, { 6, 5, 2, 40, 2 }, { 6, 3, 2, 80, 3 }, { 6, 5, 1, 112, 3 }, { 6, 5, 2, 192, 4 },
               { 6, 3, 1, 320, 1 } }
local INIT = {
  layers = {},
  torchvision = { conv = initial.kaiming "fan_out", linear = initial.uniform_out(), bias = initial.zeros() },
}

local function unit(g, name, x, out, kernel, stride, o)
  return mbconv.unit(g, name, x, { out = out, kernel = kernel, stride = stride, act = nn.silu(), norm = o.norm, init = o.init })
end

local function block(g, prefix, x, row, stride, drop, o)
  local expand, kernel, _, width = unpack(row)
  local channels = x.shape[2]
  return mbconv.block(g, prefix, x, {
    kernel = kernel, expand = mbconv.divisible(channels * expand), out = mbconv.divisible(width * o.width), stride = stride,
    act = nn.silu(), squeeze = math.max(1, math.floor(channels / 4)), squeeze_act = nn.silu(), gate = nn.sigmoid(), drop = drop,
    norm = o.norm, init = o.init,
  })
end

local function counts(depth)
  local list, total = {}, 0
  for i, row in ipairs(ROWS) do
    list[i] = math.ceil(row[5] * depth)
    total = total + list[i]
  end
  return list, total
end

local function trunk(g, x, ends, o)
  local count, total = counts(o.depth)
  local done = 0
  x = unit(g, "features.0", x, mbconv.divisible(STEM * o.width), 3, 2, o)
  for i, row in ipairs(ROWS) do
    for k = 1, count[i] do
      x = block(g, ("features.%d.%d"):format(i, k - 1), x, row, k == 1 and row[3] or 1, o.stochastic_depth * done / total, o)
      done = done + 1
    end
    if ends[i] then g:stage(x) end
  end
  return x
end

local function head_of(o)
  return function(g, prefix, value, width, classes)
    local x = unit(g, nn.join(prefix, "features." .. #ROWS + 1), value, 4 * width, 1, 1, o)
    x = nn.global_avg_pool()(g, nn.join(prefix, "avgpool"), x)
    if o.dropout > 0 then x = nn.dropout { p = o.dropout }(g, nn.join(prefix, "classifier.0"), x) end
    return nn.linear { out = classes, init = o.init.linear, bias_init = o.init.bias }(g, nn.join(prefix, "classifier.1"), x)
  end
end

return function(given, where)
  where = where or "models.efficientnet"
  local o = options.check(where, given or {}, {
    input = { 3, 224, 224 }, classes = 1000, width = 1, depth = 1, dropout = 0.2, stochastic_depth = 0.2, eps = 1e-5, momentum = 0.1,
    stages = options.optional, head = "exit", init = "torchvision", seed = options.optional,
  })
  local ends = stages.ends(where, "stages", o.stages, #ROWS)
  o.norm, o.init = { eps = o.eps, momentum = o.momentum }, options.choice(where, "init", o.init, INIT)
  local head = head_of(o)
  return network {
    input = o.input, classes = o.classes, seed = o.seed,
    head = heads.choice(where, o.head, { exit = head, torchvision = head }),
    build = function(g, x) return trunk(g, x, ends, o) end,
  }
end
