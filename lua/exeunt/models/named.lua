-- models/named.lua: networks as torchvision names them: each is a family (a file beside this one) and the numbers that
-- make it. Options of all: input = {3, 224, 224}, classes = 1000, seed, and head = function(g, prefix, value, width, classes)
-- in place of the network's own classifier; the family says which others. Parameters have torchvision's names and are
-- drawn from its distributions. What may not be said is what the name says already (blocks, widths, ...).
--
-- The classifier of each is the exit of METHOD's table, which ex.exits.anticipate repeats after the earlier stages.

local options = require "exeunt.options"

local families = {
  resnet = { input = { 3, 224, 224 }, classes = 1000, head = options.optional, seed = options.optional },
}
families.vgg, families.densenet = families.resnet, families.resnet

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
}

-- The constructor of a name: the caller's options beside the name's own.
local function constructor(name, settings)
  local where = "models." .. name
  return function(given)
    local o = options.check(where, given or {}, families[settings.family])
    for key, value in pairs(settings) do
      if key ~= "family" then o[key] = value end
    end
    return require("exeunt.models." .. settings.family)(o, where)
  end
end

local models = {}
for name, settings in pairs(named) do models[name] = constructor(name, settings) end
return models
