-- DenseNet: names, shapes, stages; numbers against torchvision's are in golden_test.lua.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestDensenet = {}

local SMALL = { input = { 1, 18, 18 }, classes = 3, blocks = { 2, 2 }, growth = 4, stem = 6, bottleneck = 2 }

function TestDensenet.test_names()
  local net = ex.models.densenet(SMALL)
  for name, shape in pairs {
    ["features.conv0.weight"] = { 6, 1, 7, 7 }, ["features.norm0.bias"] = { 6 },
    ["features.denseblock1.denselayer1.conv1.weight"] = { 8, 6, 1, 1 },
    ["features.denseblock1.denselayer2.norm1.weight"] = { 10 }, ["features.denseblock1.denselayer2.conv2.weight"] = { 4, 8, 3, 3 },
    ["features.transition1.norm.running_var"] = { 14 }, ["features.transition1.conv.weight"] = { 7, 14, 1, 1 },
    ["features.transition1.pool"] = { -1, 7, 2, 2 }, ["features.norm5.weight"] = { 15 }, ["classifier.weight"] = { 3, 15 },
  } do
    lu.assertEquals((net.graph:find(name) or { shape = "no " .. name }).shape, shape)
  end
  lu.assertEquals(net.stages, { "features.transition1.pool", "features.norm5" })
end

-- What a layer adds stands behind what was there.
function TestDensenet.test_a_layer_keeps_its_input()
  local net = nets.stir(ex.models.densenet(SMALL))
  local g = net.graph:extract { net.graph:find "features.denseblock1.denselayer1.concat" }
  local outputs = {}
  for i, name in ipairs { "pool0", "denseblock1.denselayer1.conv2", "denseblock1.denselayer1.concat" } do
    outputs[i] = g:find("features." .. name)
  end
  local plan = ex.plan.new(g, { outputs = outputs, batch = 2 })
  plan:bind("input", nets.normal({ 2, 1, 18, 18 }, "x"))
  plan:run(2)
  nets.same(lu, plan:output(3):narrow(1, 0, 6), plan:output(1))
  nets.same(lu, plan:output(3):narrow(1, 6, 4), plan:output(2))
end

-- In no plan is a concat or a slice left that copies: each layer writes behind what is there, each gradient is read where it is.
function TestDensenet.test_plans_copy_nothing()
  local Step = require "exeunt.train.step"
  local net = ex.models.densenet(SMALL)
  local out = net.graph:find(net.exits[1].logits)
  local plans = {
    training = Step.new(net, { batch = 17, optimizer = ex.optim.sgd { lr = 0.1 } }).plan,
    small = Step.new(net, { batch = 4, optimizer = ex.optim.sgd { lr = 0.1 } }).plan,
    inference = ex.plan.new(net.graph, { outputs = { out }, batch = 17 }), one = ex.plan.new(net.graph, { outputs = { out }, batch = 1 }),
  }
  for name, plan in pairs(plans) do
    local concats = 0
    for _, node in ipairs(plan:nodes()) do
      if node.op == "concat" or node.op == "slice" then
        lu.assertEquals(node.kernel, "alias", name .. ": " .. node.name)
        concats = concats + 1
      end
    end
    lu.assertTrue(concats >= 4)
  end
end

-- The same logits with and without, for a full batch and part of one.
function TestDensenet.test_inference_keeps_its_bits()
  local net = nets.stir(ex.models.densenet(SMALL))
  local out = net.graph:find(net.exits[1].logits)
  local images, logits = nets.normal({ 19, 1, 18, 18 }, "x"), {}
  for _, passes in ipairs { "-parts", "-in_place", "-parts,-chain", "-chain" } do
    local plan = ex.plan.new(net.graph, { outputs = { out }, batch = 19, passes = passes })
    plan:bind("input", images)
    for _, n in ipairs { 19, 3 } do
      plan:run(n)
      local got = plan:output(1, nil, n)
      logits[n] = logits[n] or got
      nets.same(lu, got, logits[n])
    end
  end
end

function TestDensenet.test_refuses()
  lu.assertEquals(nets.message(ex.models.densenet, { blocks = {} }), "models.densenet: blocks must be a list with a number for each stage")
  lu.assertEquals(nets.message(ex.models.densenet121, { input = { 3, 28, 28 } }),
                  "models.densenet121: images of 28 x 28 are too small: 4 blocks need 29 pixels")
  lu.assertEquals(nets.message(ex.models.densenet, { init = "zeros" }),
                  'models.densenet: init must be "layers" or "torchvision", got zeros')
end

os.exit(lu.LuaUnit.run())
