-- fusion_test.lua: whole training steps with each pass of a plan and without it: losses, hits, and the parameters, running
-- statistics and optimiser state after three steps agree to rounding. Hidden behind a fused node nothing may change.

package.path = "tests/support/?.lua;" .. package.path
local lu = require "luaunit"
local ex = require "exeunt"
local nets = require "nets"
local Step = require "exeunt.train.step"
local nn = ex.nn

local N, STEPS = 6, 3

local function unit(out, after)
  return nn.sequential { nn.conv2d { out = out, kernel = 3, padding = 1 }, nn.batch_norm(), unpack(after) }
end

-- One trunk of layers and a linear head, as a network with one exit.
local function plain(input, layers)
  return ex.network {
    input = input, classes = 3, seed = 5,
    build = function(g, x)
      for i, layer in ipairs(layers) do x = layer(g, "layer" .. i, x) end
      return g:stage(x)
    end,
    head = function(g, prefix, value, _, classes)
      local x = nn.global_avg_pool()(g, prefix .. ".avg", value)
      return nn.linear { out = classes }(g, prefix .. ".fc", x)
    end,
  }
end

local makers = {
  vgg = function() return ex.exits.anticipate(ex.models.vgg { input = { 2, 13, 13 }, classes = 3, widths = { 5, 17, 16 }, seed = 3 }) end,
  resnet = function() return ex.exits.anticipate(ex.models.resnet { depth = 8, input = { 3, 8, 8 }, classes = 3, seed = 3 }) end,
  lenet = function() return ex.exits.anticipate(ex.models.lenet { input = { 1, 20, 20 }, classes = 3, seed = 3 }) end,
  -- relu6, windows that leave rows over, windows that overlap, a batch norm without activation, a sum without one.
  mixed = function()
    return plain({ 2, 14, 15 }, {
      unit(6, { nn.relu6(), nn.max_pool { kernel = { 3, 2 } } }),
      unit(9, { nn.relu(), nn.max_pool { kernel = 3, stride = 2, padding = 1 } }),
      unit(9, {}), nn.residual { body = unit(9, {}) }, nn.residual { body = unit(9, { nn.relu6() }), after = nn.relu6() },
    })
  end,
  dense = function()
    local o = { input = { 2, 26, 22 }, classes = 3, blocks = { 3, 2 }, growth = 5, stem = 6, bottleneck = 2, seed = 3 }
    return ex.exits.anticipate(ex.models.densenet(o))
  end,
  -- Curves after batch norms, squeeze-and-excitation, depthwise convolutions, a block that is left out at random.
  mobile = function()
    local squeeze = nn.sequential { nn.global_avg_pool(), nn.linear { out = 4 }, nn.silu(), nn.linear { out = 9 }, nn.hard_sigmoid() }
    local deep = nn.sequential { nn.conv2d { out = 9, kernel = 3, padding = 1, groups = 9, bias = false }, nn.batch_norm(), nn.silu(),
      function(g, name, x) return nn.scale_channels()(g, name, x, squeeze(g, nn.join(name, "squeeze"), x)) end,
      nn.conv2d { out = 9, kernel = 1 }, nn.batch_norm(), nn.stochastic_depth { p = 0.3 } }
    return plain({ 2, 14, 15 }, {
      unit(9, { nn.hard_swish() }), nn.residual { body = deep }, unit(17, { nn.silu() }),
      unit(6, { nn.hard_swish(), nn.adaptive_avg_pool { size = 5 } }),
    })
  end,
}

-- All that three steps leave behind, by name.
local function train(make, optimizer, clip, passes)
  local net = nets.stir(make())
  local c, h, w = unpack(net.input)
  local step = Step.new(net, { batch = N, optimizer = optimizer, clip = clip, passes = passes })
  local weights = {}
  for i = 1, #net.exits do weights[i] = 1 / i end
  step:weigh(weights)
  step:feed { images = nets.normal({ N, c, h, w }, "images"), labels = ex.tensor({ 0, 2, 1, 1, 0, 2 }, "int32") }
  local left = {}
  for t = 1, STEPS do
    step:run(N, 1, t, 1)
    for i = 1, #step.out do left[("out %d.%d"):format(t, i)] = step.out[i]:clone() end
  end
  for _, v in ipairs(net.graph:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then left[v.name] = net.graph:tensor(v):clone() end
  end
  for name, state in pairs(step.update.states) do left[name] = state:clone() end
  return left
end

local function agree(make, optimizer, clip, passes, share)
  local with, without = train(make, optimizer(), clip), train(make, optimizer(), clip, passes)
  local count = 0
  for name, tensor in pairs(without) do
    nets.close(lu, with[name], tensor, share or 2e-4)
    count = count + 1
  end
  lu.assertTrue(count > 10)
end

local sgd = function() return ex.optim.sgd { lr = 0.05, momentum = 0.9, weight_decay = 1e-3 } end

TestFusion = {}

for name, make in pairs(makers) do
  TestFusion["test_fuse_norm_on_" .. name] = function() agree(make, sgd, nil, "-fuse_norm") end
  TestFusion["test_fuse_pool_on_" .. name] = function() agree(make, sgd, nil, "-fuse_pool", 0) end
  TestFusion["test_parts_on_" .. name] = function() agree(make, sgd, 0.5, "-parts", 0) end
  TestFusion["test_concat_stats_on_" .. name] = function() agree(make, sgd, nil, "-concat_stats") end
  TestFusion["test_chains_on_" .. name] = function() agree(make, sgd, nil, "-chain,-recompute") end
  TestFusion["test_all_passes_on_" .. name] = function()
    agree(make, sgd, 0.5, "-fuse_bn,-fuse_norm,-fuse_pool,-fuse_update,-merge,-in_place")
  end
end

-- One step of all parameters is that of each: the same bits. Groups of parameters have rates and decays of their own.
local optimizers = {
  sgd = sgd,
  plain_sgd = function() return ex.optim.sgd { lr = 0.05 } end,
  adam = function() return ex.optim.adam { lr = 0.01, weight_decay = 1e-3 } end,
  adamw = function() return ex.optim.adamw { lr = 0.01, groups = { { "exits.*", lr = 0.02 }, { "*.bias", weight_decay = 0 } } } end,
}

for name, optimizer in pairs(optimizers) do
  TestFusion["test_fuse_update_with_" .. name] = function()
    agree(makers.vgg, optimizer, nil, "-fuse_update", 0)
    agree(makers.resnet, optimizer, 0.5, "-fuse_update", 0)
  end
end

os.exit(lu.LuaUnit.run())
