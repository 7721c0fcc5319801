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

function TestDensenet.test_refuses()
  lu.assertEquals(nets.message(ex.models.densenet, { blocks = {} }), "models.densenet: blocks must be a list with a number for each stage")
  lu.assertEquals(nets.message(ex.models.densenet121, { input = { 3, 28, 28 } }),
                  "models.densenet121: images of 28 x 28 are too small: 4 blocks need 29 pixels")
  lu.assertEquals(nets.message(ex.models.densenet, { init = "zeros" }),
                  'models.densenet: init must be "layers" or "torchvision", got zeros')
end

os.exit(lu.LuaUnit.run())
