-- nets.lua: the networks of the benchmark, the same as bench/peers/models.py's: run.lua refuses a case whose two sides count
-- different parameters or multiply-accumulates.

local ex = require "exeunt"

local nets = {}

local makers = {}

-- LeNet-5 on 1x28x28. ex.models.lenet has two places for exits; here the flattened numbers are a third stage, so that exits
-- after both pools go with the whole classifier at the end.
function makers.lenet()
  local nn = ex.nn
  local trunk = { nn.sequential { nn.conv2d { out = 6, kernel = 5, padding = 2 }, nn.relu(), nn.max_pool { kernel = 2 } },
                  nn.sequential { nn.conv2d { out = 16, kernel = 5 }, nn.relu(), nn.max_pool { kernel = 2 } }, nn.flatten() }
  local classifier = nn.sequential { nn.linear { out = 120 }, nn.relu(), nn.linear { out = 84 }, nn.relu(), nn.linear { out = 10 } }
  local exit = nn.sequential { nn.global_avg_pool(), nn.linear { out = 10 } }
  return ex.network {
    input = { 1, 28, 28 }, classes = 10, seed = 1,
    build = function(g, x)
      for i, layer in ipairs(trunk) do x = g:stage(layer(g, "features." .. i, x)) end
      return x
    end,
    head = function(g, prefix, value)
      return (#value.shape == 2 and classifier or exit)(g, nn.join(prefix, "classifier"), value)
    end,
  }
end

-- Three stages of two 3x3 convolutions on 1x28x28; `width` times 32, 64, 128 channels.
function makers.vgg(width)
  return ex.models.vgg { input = { 1, 28, 28 }, classes = 10, widths = { 32 * width, 64 * width, 128 * width }, head = "flatten", seed = 1 }
end

-- ResNet-20 on 3x32x32.
function makers.resnet20()
  return ex.models.resnet { input = { 3, 32, 32 }, classes = 10, depth = 20, seed = 1 }
end

-- A small MobileNetV2 on 3x32x32.
function makers.mobilenetv2()
  return ex.models.mobilenetv2 {
    input = { 3, 32, 32 }, classes = 10, stem = 16, stem_stride = 1, last = 256, dropout = 0, stages = { 2, 3 }, seed = 1,
    rows = { { 1, 16, 1, 1 }, { 6, 24, 2, 2 }, { 6, 32, 2, 2 }, { 6, 64, 2, 2 } },
  }
end

-- The paper's networks, of four exits, on 3x64x64 and 100 classes.
nets.paper = { "mobilenetv3small", "resnet50", "densenet169", "efficientnetB5", "vgg16" }
for _, name in ipairs(nets.paper) do
  makers[name] = function() return ex.models[name] { input = { 3, 64, 64 }, classes = 100, seed = 1 } end
end

-- optimizer(name): what the network is trained with.
function nets.optimizer(name)
  for _, known in ipairs(nets.paper) do if known == name then return ex.optim.adam { lr = 1e-4 } end end
  return ex.optim.sgd { lr = 0.01, momentum = 0.9, weight_decay = 5e-4 }
end

-- make(name, heads[, width]): the network with one head, or with all its exits.
function nets.make(name, heads, width)
  local net = (makers[name] or error("no network " .. tostring(name), 0))(width or 1)
  if heads > 1 then ex.exits.anticipate(net) end
  assert(#net.exits == heads, ("%s has %d heads, not %d"):format(name, #net.exits, heads))
  return net
end

-- images(net, batch): normal numbers, channels-last in memory as the loader's batches are.
function nets.images(net, batch)
  local c, h, w = unpack(net.input)
  return ex.tensor.normal({ batch, h, w, c }):permute(0, 3, 1, 2)
end

-- ready(net): the line that a side says when it is warm.
function nets.ready(net)
  local cost = net:cost()
  return ("ready %d %d"):format(cost.params, cost.macs)
end

return nets
