-- models/resnet.lua: residual networks (He et al. 2015). With depth = 6n + 2 (20, 32, 56, ...) the CIFAR form: a 3x3 stem,
-- three stages of n basic blocks of 16, 32, 64 channels, the first block of stages 2 and 3 with stride 2.
-- Free form: blocks = {2, 2, 2, 2}, widths = {64, 128, 256, 512}, block = "basic" or "bottleneck" (1x1, 3x3, 1x1 to four
-- times the width, the stride on the 3x3), stem = "cifar" or "imagenet" (7x7 stride 2, then a 3x3 max pool of stride 2).
-- shortcut = "projection": where a block changes its shape, a 1x1 convolution with batch norm (option B; the peers' form);
-- "identity": every second pixel, padded with channels of zeros on both sides (option A, without parameters).
-- init = "layers" (PyTorch's defaults) or "torchvision" (convolutions from N(0, 2 / fan_out)). head: a function instead of
-- global average pooling and a linear layer.
-- Names as in torchvision: conv1, bn1, layer1.0.conv1, layer1.0.downsample.0, fc. One stage after each layer<i>.

local core = require "exeunt.core"
local heads = require "exeunt.models.heads"
local initial = require "exeunt.nn.initial"
local leaf = require "exeunt.leaf"
local network = require "exeunt.network"
local nn = require "exeunt.nn"
local options = require "exeunt.options"
local stages = require "exeunt.models.stages"

local INIT = { layers = {}, torchvision = { conv = initial.kaiming "fan_out" } }

local function conv2d(o)
  return nn.conv2d { out = o.out, kernel = o.kernel, stride = o.stride or 1, padding = (o.kernel - 1) / 2, bias = false, init = o.init }
end

-- conv, batch norm (and relu), named conv<i>, bn<i>, relu<i>.
local function unit(g, prefix, i, x, o)
  x = conv2d(o)(g, nn.join(prefix, "conv" .. i), x)
  x = nn.batch_norm()(g, nn.join(prefix, "bn" .. i), x)
  return o.relu == false and x or nn.relu()(g, nn.join(prefix, "relu" .. i), x)
end

local bodies = {}

function bodies.basic(g, prefix, x, width, stride, init)
  x = unit(g, prefix, 1, x, { out = width, kernel = 3, stride = stride, init = init })
  return unit(g, prefix, 2, x, { out = width, kernel = 3, relu = false, init = init })
end

function bodies.bottleneck(g, prefix, x, width, stride, init)
  x = unit(g, prefix, 1, x, { out = width, kernel = 1, init = init })
  x = unit(g, prefix, 2, x, { out = width, kernel = 3, stride = stride, init = init })
  return unit(g, prefix, 3, x, { out = 4 * width, kernel = 1, relu = false, init = init })
end

local shortcuts = {}

function shortcuts.projection(g, prefix, x, out, stride, o)
  x = conv2d { out = out, kernel = 1, stride = stride, init = o.init.conv }(g, nn.join(prefix, "downsample.0"), x)
  return nn.batch_norm()(g, nn.join(prefix, "downsample.1"), x)
end

-- Zeros of x's kind: (N, count, H, W), made of x's first channels without a way back for gradients.
local function zeros(g, prefix, side, x, count)
  local function name(what) return nn.join(prefix, ("downsample.%s.%s"):format(side, what)) end
  local part = g:node(name "slice", "slice", { x }, { axis = 1, start = 0, count = count })
  local still = g:node(name "still", "stop_gradient", { part })
  return g:node(name "zeros", "mul", { still, g:buffer(name "zero", leaf.full({ 1 }, 0)) })
end

function shortcuts.identity(g, prefix, x, out, stride, o)
  if stride > 1 then x = nn.max_pool { kernel = 1, stride = stride }(g, nn.join(prefix, "downsample.pool"), x) end
  local channels = x.shape[2]
  local before, after = math.floor((out - channels) / 2), math.ceil((out - channels) / 2)
  if before < 0 or after > channels then
    core.raise('%s: %s: shortcut = "identity" cannot lead from %d channels to %d', o.where, prefix, channels, out)
  end
  if after == 0 then return x end
  local parts = { x, zeros(g, prefix, "after", x, after) }
  if before > 0 then table.insert(parts, 1, zeros(g, prefix, "before", x, before)) end
  return g:node(nn.join(prefix, "downsample.pad"), "concat", parts, { axis = 1 })
end

local function residual(g, prefix, x, width, stride, o)
  local y = bodies[o.block](g, prefix, x, width, stride, o.init.conv)
  local out = y.shape[2]
  local short = x
  if stride ~= 1 or x.shape[2] ~= out then short = shortcuts[o.shortcut](g, prefix, x, out, stride, o) end
  y = nn.add()(g, nn.join(prefix, "add"), y, short)
  return nn.relu()(g, nn.join(prefix, "relu"), y)
end

local function stem(g, x, form, width, init)
  if form == "cifar" then return unit(g, "", 1, x, { out = width, kernel = 3, init = init }) end
  x = unit(g, "", 1, x, { out = width, kernel = 7, stride = 2, init = init })
  return nn.max_pool { kernel = 3, stride = 2, padding = 1 }(g, "maxpool", x)
end

-- blocks by stage, from `blocks` or from `depth`.
local function blocks_of(o)
  if o.blocks and o.depth then core.raise("%s: give depth or blocks, not both", o.where) end
  if o.blocks then return stages.list(o.where, "blocks", o.blocks) end
  local depth = o.depth or 20
  if type(depth) ~= "number" or depth < 8 or (depth - 2) % 6 ~= 0 then
    core.raise("%s: depth must be 6n + 2 (20, 32, 56, ...), got %s; other forms: blocks = {...}", o.where, tostring(depth))
  end
  local n = (depth - 2) / 6
  return { n, n, n }
end

return function(given, where)
  where = where or "models.resnet"
  local o = options.check(where, given or {}, {
    input = { 3, 32, 32 }, classes = 10, depth = options.optional, blocks = options.optional, widths = { 16, 32, 64 },
    block = "basic", shortcut = "projection", stem = "cifar", init = "layers", head = options.optional,
    seed = options.optional,
  })
  options.choice(where, "block", o.block, bodies)
  options.choice(where, "shortcut", o.shortcut, shortcuts)
  options.choice(where, "stem", o.stem, { cifar = true, imagenet = true })
  o.where, o.init = where, options.choice(where, "init", o.init, INIT)
  local blocks = blocks_of(o)
  local widths = stages.each(where, "widths", o.widths, #blocks)
  return network {
    input = o.input, classes = o.classes, seed = o.seed, head = o.head or heads.fc,
    build = function(g, x)
      x = stem(g, x, o.stem, widths[1], o.init.conv)
      for stage, count in ipairs(blocks) do
        for i = 1, count do
          local stride = (stage > 1 and i == 1) and 2 or 1
          x = residual(g, ("layer%d.%d"):format(stage, i - 1), x, widths[stage], stride, o)
        end
        g:stage(x)
      end
      return x
    end,
  }
end
