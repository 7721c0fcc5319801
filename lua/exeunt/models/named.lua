-- models/named.lua: networks as torchvision names them: each is a family (a file beside this one) and the numbers that
-- make it. Options of all: input = {3, 224, 224}, classes = 1000, seed, and head = function(g, prefix, value, width, classes)
-- in place of the network's own classifier; the family says which others. Parameters have torchvision's names and are
-- drawn from its distributions. What may not be said is what the name says already (blocks, widths, ...).
--
-- The classifier of each is the exit of METHOD's table, which ex.exits.anticipate repeats after the earlier stages.

local options = require "exeunt.options"

local families = {
  resnet = { input = { 3, 224, 224 }, classes = 1000, head = options.optional, seed = options.optional },
  vgg = { input = { 3, 224, 224 }, classes = 1000, dropout = 0.5, head = options.optional, seed = options.optional },
  densenet = { input = { 3, 224, 224 }, classes = 1000, head = options.optional, seed = options.optional },
  mobilenetv3 = { input = { 3, 224, 224 }, classes = 1000, dropout = 0.2, head = "exit", seed = options.optional },
  efficientnet = { input = { 3, 224, 224 }, classes = 1000, dropout = options.optional, stochastic_depth = 0.2, head = "exit",
                   seed = options.optional },
}

local function resnet(block, ...)
  return { family = "resnet", blocks = { ... }, block = block, widths = { 64, 128, 256, 512 }, stem = "imagenet", init = "torchvision" }
end

-- Pools 2 to 5 end a stage; in the "full" form each of the five does.
local function vgg(batch_norm, depths, ends)
  return { family = "vgg", depths = depths, widths = { 64, 128, 256, 512, 512 }, batch_norm = batch_norm, bias = true,
           stages = ends or { 2, 3, 4, 5 }, init = "torchvision" }
end

local function densenet(...)
  return { family = "densenet", blocks = { ... }, growth = 32, stem = 64 }
end

-- Rows { kernel, expand, width, squeeze, act, stride }.
local SMALL = {
  { 3, 16, 16, 1, "relu", 2 },
  { 3, 72, 24, 0, "relu", 2 }, { 3, 88, 24, 0, "relu", 1 },
  { 5, 96, 40, 1, "hard_swish", 2 }, { 5, 240, 40, 1, "hard_swish", 1 }, { 5, 240, 40, 1, "hard_swish", 1 },
  { 5, 120, 48, 1, "hard_swish", 1 }, { 5, 144, 48, 1, "hard_swish", 1 },
  { 5, 288, 96, 1, "hard_swish", 2 }, { 5, 576, 96, 1, "hard_swish", 1 }, { 5, 576, 96, 1, "hard_swish", 1 },
}
local LARGE = {
  { 3, 16, 16, 0, "relu", 1 },
  { 3, 64, 24, 0, "relu", 2 }, { 3, 72, 24, 0, "relu", 1 },
  { 5, 72, 40, 1, "relu", 2 }, { 5, 120, 40, 1, "relu", 1 }, { 5, 120, 40, 1, "relu", 1 },
  { 3, 240, 80, 0, "hard_swish", 2 }, { 3, 200, 80, 0, "hard_swish", 1 }, { 3, 184, 80, 0, "hard_swish", 1 },
  { 3, 184, 80, 0, "hard_swish", 1 },
  { 3, 480, 112, 1, "hard_swish", 1 }, { 3, 672, 112, 1, "hard_swish", 1 },
  { 5, 672, 160, 1, "hard_swish", 2 }, { 5, 960, 160, 1, "hard_swish", 1 }, { 5, 960, 160, 1, "hard_swish", 1 },
}

-- A stage ends after features ends[i]; `last` is the width of torchvision's hidden layer.
local function mobilenetv3(rows, last, ends)
  return { family = "mobilenetv3", rows = rows, last = last, stages = ends }
end

-- Times B0's channels and counts; from B5 on batch norms are slower and have a larger eps.
local function efficientnet(width, depth, dropout, slow, ends)
  return { family = "efficientnet", width = width, depth = depth, dropout = dropout, eps = slow and 1e-3 or 1e-5,
           momentum = slow and 0.01 or 0.1, stages = ends or { 2, 4, 5, 7 } }
end

local named = {
  resnet18 = resnet("basic", 2, 2, 2, 2),
  resnet34 = resnet("basic", 3, 4, 6, 3),
  resnet50 = resnet("bottleneck", 3, 4, 6, 3),
  resnet101 = resnet("bottleneck", 3, 4, 23, 3),

  vgg11 = vgg(false, { 1, 1, 2, 2, 2 }), vgg11_bn = vgg(true, { 1, 1, 2, 2, 2 }),
  vgg13 = vgg(false, { 2, 2, 2, 2, 2 }), vgg13_bn = vgg(true, { 2, 2, 2, 2, 2 }),
  vgg16 = vgg(false, { 2, 2, 3, 3, 3 }), vgg16_bn = vgg(true, { 2, 2, 3, 3, 3 }),
  vgg19 = vgg(false, { 2, 2, 4, 4, 4 }), vgg19_bn = vgg(true, { 2, 2, 4, 4, 4 }),
  vgg16full = vgg(false, { 2, 2, 3, 3, 3 }, { 1, 2, 3, 4, 5 }),

  densenet121 = densenet(6, 12, 24, 16),
  densenet169 = densenet(6, 12, 32, 32),

  mobilenetv3small = mobilenetv3(SMALL, 1024, { 3, 6, 8, 11 }),
  mobilenetv3smallfull = mobilenetv3(SMALL, 1024, { 1, 3, 6, 8, 11 }),
  mobilenetv3large = mobilenetv3(LARGE, 1280, { 3, 6, 10, 12, 15 }),

  efficientnetB0 = efficientnet(1.0, 1.0, 0.2),
  efficientnetB1 = efficientnet(1.0, 1.1, 0.2),
  efficientnetB2 = efficientnet(1.1, 1.2, 0.3),
  efficientnetB3 = efficientnet(1.2, 1.4, 0.3),
  efficientnetB4 = efficientnet(1.4, 1.8, 0.4),
  efficientnetB5 = efficientnet(1.6, 2.2, 0.4, true),
  efficientnetB5full = efficientnet(1.6, 2.2, 0.4, true, { 1, 2, 3, 4, 5, 6, 7 }),
}

-- The constructor of a name: the caller's options beside the name's own.
local function constructor(name, settings)
  local where = "models." .. name
  return function(given)
    local o = options.check(where, given or {}, families[settings.family])
    for key, value in pairs(settings) do
      if key ~= "family" and (given == nil or given[key] == nil) then o[key] = value end
    end
    return require("exeunt.models." .. settings.family)(o, where)
  end
end

local models = {}
for name, settings in pairs(named) do models[name] = constructor(name, settings) end
return models
