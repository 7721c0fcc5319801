-- models/resnet.lua: residual networks (He et al. 2015). With depth = 6n + 2 (20, 32, 56, ...) the CIFAR form: a 3x3 stem,
-- three stages of n basic blocks of 16, 32, 64 channels, the first block of stages 2 and 3 with stride 2.
-- Free form: blocks = {2, 2, 2, 2}, widths = {64, 128, 256, 512}, block = "basic" or "bottleneck" (1x1, 3x3, 1x1 to four
-- times the width, the stride on the 3x3), stem = "cifar" or "imagenet" (7x7 stride 2, then a 3x3 max pool of stride 2).
-- shortcut = "projection": where a block changes its shape, a 1x1 convolution with batch norm (option B; the peers' form);
-- "identity": every second pixel, padded with channels of zeros on both sides (option A, without parameters).
-- Names as in torchvision: conv1, bn1, layer1.0.conv1, layer1.0.downsample.0, fc. One stage after each layer<i>.

local core = require "exeunt.core"
local heads = require "exeunt.models.heads"
local leaf = require "exeunt.leaf"
local network = require "exeunt.network"
local nn = require "exeunt.nn"
local options = require "exeunt.options"
local stages = require "exeunt.models.stages"

local WHERE = "models.resnet"

-- conv, batch norm (and relu), named conv<i>, bn<i>, relu<i>.
local function unit(g, prefix, i, x, o)
  local conv = nn.conv2d { out = o.out, kernel = o.kernel, stride = o.stride or 1, padding = (o.kernel - 1) / 2, bias = false }
  x = conv(g, nn.join(prefix, "conv" .. i), x)
  x = nn.batch_norm()(g, nn.join(prefix, "bn" .. i), x)
  return o.relu == false and x or nn.relu()(g, nn.join(prefix, "relu" .. i), x)
end

local bodies = {}

function bodies.basic(g, prefix, x, width, stride)
  x = unit(g, prefix, 1, x, { out = width, kernel = 3, stride = stride })
  return unit(g, prefix, 2, x, { out = width, kernel = 3, relu = false })
end

function bodies.bottleneck(g, prefix, x, width, stride)
  x = unit(g, prefix, 1, x, { out = width, kernel = 1 })
  x = unit(g, prefix, 2, x, { out = width, kernel = 3, stride = stride })
  return unit(g, prefix, 3, x, { out = 4 * width, kernel = 1, relu = false })
end

local shortcuts = {}

function shortcuts.projection(g, prefix, x, out, stride)
  x = nn.conv2d { out = out, kernel = 1, stride = stride, bias = false }(g, nn.join(prefix, "downsample.0"), x)
  return nn.batch_norm()(g, nn.join(prefix, "downsample.1"), x)
end

-- Zeros of x's kind: (N, count, H, W), made of x's first channels without a way back for gradients.
local function zeros(g, prefix, side, x, count)
  local function name(what) return nn.join(prefix, ("downsample.%s.%s"):format(side, what)) end
  local part = g:node(name "slice", "slice", { x }, { axis = 1, start = 0, count = count })
  local still = g:node(name "still", "stop_gradient", { part })
  return g:node(name "zeros", "mul", { still, g:buffer(name "zero", leaf.full({ 1 }, 0)) })
end

function shortcuts.identity(g, prefix, x, out, stride)
  if stride > 1 then x = nn.max_pool { kernel = 1, stride = stride }(g, nn.join(prefix, "downsample.pool"), x) end
  local channels = x.shape[2]
  local before, after = math.floor((out - channels) / 2), math.ceil((out - channels) / 2)
  if before < 0 or after > channels then
    core.raise('%s: %s: shortcut = "identity" cannot lead from %d channels to %d', WHERE, prefix, channels, out)
  end
  if after == 0 then return x end
  local parts = { x, zeros(g, prefix, "after", x, after) }
  if before > 0 then table.insert(parts, 1, zeros(g, prefix, "before", x, before)) end
  return g:node(nn.join(prefix, "downsample.pad"), "concat", parts, { axis = 1 })
end

local function residual(g, prefix, x, width, stride, o)
  local y = bodies[o.block](g, prefix, x, width, stride)
  local out = y.shape[2]
  local short = x
  if stride ~= 1 or x.shape[2] ~= out then short = shortcuts[o.shortcut](g, prefix, x, out, stride) end
  y = nn.add()(g, nn.join(prefix, "add"), y, short)
  return nn.relu()(g, nn.join(prefix, "relu"), y)
end

local function stem(g, x, form, width)
  if form == "cifar" then return unit(g, "", 1, x, { out = width, kernel = 3 }) end
  x = unit(g, "", 1, x, { out = width, kernel = 7, stride = 2 })
  return nn.max_pool { kernel = 3, stride = 2, padding = 1 }(g, "maxpool", x)
end

-- blocks by stage, from `blocks` or from `depth`.
local function blocks_of(o)
  if o.blocks and o.depth then core.raise("%s: give depth or blocks, not both", WHERE) end
  if o.blocks then return stages.list(WHERE, "blocks", o.blocks) end
  local depth = o.depth or 20
  if type(depth) ~= "number" or depth < 8 or (depth - 2) % 6 ~= 0 then
    core.raise("%s: depth must be 6n + 2 (20, 32, 56, ...), got %s; other forms: blocks = {...}", WHERE, tostring(depth))
  end
  local n = (depth - 2) / 6
  return { n, n, n }
end

local function choice(name, value, known)
  if not known[value] then
    local names = {}
    for k in pairs(known) do names[#names + 1] = '"' .. k .. '"' end
    table.sort(names)
    core.raise("%s: %s must be %s, got %s", WHERE, name, table.concat(names, " or "), tostring(value))
  end
end

return function(given)
  local o = options.check(WHERE, given or {}, {
    input = { 3, 32, 32 }, classes = 10, depth = options.optional, blocks = options.optional, widths = { 16, 32, 64 },
    block = "basic", shortcut = "projection", stem = "cifar", seed = options.optional,
  })
  choice("block", o.block, bodies)
  choice("shortcut", o.shortcut, shortcuts)
  choice("stem", o.stem, { cifar = true, imagenet = true })
  local blocks = blocks_of(o)
  local widths = stages.each(WHERE, "widths", o.widths, #blocks)
  return network {
    input = o.input, classes = o.classes, seed = o.seed, head = heads.fc,
    build = function(g, x)
      x = stem(g, x, o.stem, widths[1])
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
