-- models/densenet.lua: DenseNet-BC (Huang et al. 2016). The stem is a 7x7 convolution of stride 2 with batch norm, relu and a
-- 3x3 max pool of stride 2. Then come dense blocks. Layer k of a block takes all that the block has made so far,
-- C + (k - 1) growth channels, and adds `growth` of its own behind it:
--     new = conv3x3(relu(norm(conv1x1(relu(norm(x))))))     the 1x1 convolution makes bottleneck x growth channels
--     x   = concat(x, new)
-- Between blocks a transition halves channels (1x1 convolution) and pixels (2x2 average pool); after the last comes norm5.
-- Options: blocks = {6, 12, 24, 16} (layers of each), growth = 32, stem = 64, bottleneck = 4.
-- Names as in torchvision: features.conv0, features.denseblock1.denselayer1.norm1, features.transition1.conv, classifier. A
-- stage is a block with its transition, the last one with norm5; a head is relu, global average pool, linear.
-- init = "torchvision" (convolutions from N(0, 2 / fan_in), biases 0) or "layers" (PyTorch's defaults).

local core = require "exeunt.core"
local initial = require "exeunt.nn.initial"
local network = require "exeunt.network"
local nn = require "exeunt.nn"
local options = require "exeunt.options"
local heads = require "exeunt.models.heads"
local stages = require "exeunt.models.stages"

local INIT = { layers = {}, torchvision = { conv = initial.kaiming "fan_in", bias = initial.zeros() } }

-- norm, relu, convolution: <prefix>.norm<i>, .relu<i>, .conv<i>.
local function unit(g, prefix, i, x, o)
  x = nn.batch_norm()(g, nn.join(prefix, "norm" .. i), x)
  x = nn.relu()(g, nn.join(prefix, "relu" .. i), x)
  return nn.conv2d { out = o.out, kernel = o.kernel, padding = (o.kernel - 1) / 2, bias = false, init = o.init }(
    g, nn.join(prefix, "conv" .. i), x)
end

local function dense_layer(g, prefix, x, o)
  local y = unit(g, prefix, 1, x, { out = o.bottleneck * o.growth, kernel = 1, init = o.init })
  y = unit(g, prefix, 2, y, { out = o.growth, kernel = 3, init = o.init })
  return nn.concat()(g, nn.join(prefix, "concat"), x, y)
end

local function transition(g, prefix, x, o)
  x = unit(g, prefix, "", x, { out = math.floor(x.shape[2] / 2), kernel = 1, init = o.init })
  return nn.avg_pool { kernel = 2 }(g, nn.join(prefix, "pool"), x)
end

local function stem(g, x, o)
  x = nn.conv2d { out = o.stem, kernel = 7, stride = 2, padding = 3, bias = false, init = o.init }(g, "features.conv0", x)
  x = nn.relu()(g, "features.relu0", nn.batch_norm()(g, "features.norm0", x))
  return nn.max_pool { kernel = 3, stride = 2, padding = 1 }(g, "features.pool0", x)
end

local function trunk(g, x, o)
  x = stem(g, x, o)
  for i, layers in ipairs(o.blocks) do
    for k = 1, layers do x = dense_layer(g, ("features.denseblock%d.denselayer%d"):format(i, k), x, o) end
    if i < #o.blocks then x = g:stage(transition(g, "features.transition" .. i, x, o)) end
  end
  return g:stage(nn.batch_norm()(g, "features.norm5", x))
end

local function head_of(init)
  local classify = heads.pooled("classifier", init)
  return function(g, prefix, value, width, classes)
    return classify(g, prefix, nn.relu()(g, nn.join(prefix, "relu"), value), width, classes)
  end
end

-- Each half of the stem rounds up, each transition down, and one pixel must be left.
local function check_size(where, input, blocks)
  local least = 4 * (2 ^ (blocks - 1) - 1) + 1
  if type(input) == "table" and #input == 3 and math.min(input[2], input[3]) < least then
    core.raise("%s: images of %d x %d are too small: %d blocks need %d pixels", where, input[2], input[3], blocks, least)
  end
end

return function(given, where)
  where = where or "models.densenet"
  local o = options.check(where, given or {}, {
    input = { 3, 224, 224 }, classes = 1000, blocks = { 6, 12, 24, 16 }, growth = 32, stem = 64, bottleneck = 4,
    init = "torchvision", head = options.optional, seed = options.optional,
  })
  stages.list(where, "blocks", o.blocks)
  check_size(where, o.input, #o.blocks)
  local init = options.choice(where, "init", o.init, INIT)
  o.init = init.conv
  return network {
    input = o.input, classes = o.classes, seed = o.seed, head = o.head or head_of(init),
    build = function(g, x) return trunk(g, x, o) end,
  }
end
