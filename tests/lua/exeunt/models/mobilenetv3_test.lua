-- MobileNetV3: names, shapes, both classifiers; numbers against torchvision's are in golden_test.lua.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestMobilenetV3 = {}

local function check(net, shapes)
  for name, shape in pairs(shapes) do lu.assertEquals((net.graph:find(name) or { shape = "no " .. name }).shape, shape, name) end
end

function TestMobilenetV3.test_names()
  local net = ex.models.mobilenetv3small { input = { 1, 32, 32 }, classes = 10 }
  check(net, {
    ["features.0.0.weight"] = { 16, 1, 3, 3 }, ["features.1.block.0.0.weight"] = { 16, 1, 3, 3 },
    ["features.1.block.1.fc1.weight"] = { 8, 16, 1, 1 }, ["features.1.block.2.1.running_mean"] = { 16 },
    ["features.2.block.0.0.weight"] = { 72, 16, 1, 1 }, ["features.2.block.2.0.weight"] = { 24, 72, 1, 1 },
    ["features.5.block.2.fc2.bias"] = { 240 }, ["features.5.add"] = { -1, 40, 2, 2 }, ["features.12.0.weight"] = { 576, 96, 1, 1 },
    ["classifier.0.weight"] = { 168, 576 }, ["classifier.3.weight"] = { 10, 168 },
  })
  lu.assertNil(net.graph:find "features.4.add")
end

-- Each exit has the classifier's layers under a name of its own, as wide as its stage wants them.
function TestMobilenetV3.test_exits()
  local net = ex.exits.anticipate(ex.models.mobilenetv3small { input = { 1, 32, 32 }, classes = 10 })
  check(net, {
    ["exits.1.features.12.0.weight"] = { 144, 24, 1, 1 }, ["exits.1.classifier.0.weight"] = { 42, 144 },
    ["exits.4.features.12.0.weight"] = { 576, 96, 1, 1 }, ["exits.4.classifier.3.weight"] = { 10, 168 },
  })
  lu.assertNil(net.graph:find "classifier.0.weight")
end

function TestMobilenetV3.test_torchvision_s_classifier()
  local net = ex.models.mobilenetv3small { input = { 1, 32, 32 }, classes = 10, head = "torchvision" }
  check(net, { ["classifier.0.weight"] = { 1024, 576 } })
  check(ex.exits.anticipate(net), { ["exits.1.classifier.0.weight"] = { 42, 144 }, ["exits.4.classifier.0.weight"] = { 1024, 576 } })
end

function TestMobilenetV3.test_refuses()
  lu.assertEquals(nets.message(ex.models.mobilenetv3, { rows = { { 3, 16 } } }),
                  "models.mobilenetv3: rows[1] must be { kernel, expand, width, squeeze, act, stride }")
  lu.assertEquals(nets.message(ex.models.mobilenetv3, { rows = { { 3, 16, 16, 1, "tanh", 1 } } }),
                  'models.mobilenetv3: rows[1]\'s act must be "hard_swish" or "relu", got tanh')
  lu.assertEquals(nets.message(ex.models.mobilenetv3, { rows = { { 3, 16, 16, true, "relu", 1 } } }),
                  "models.mobilenetv3: rows[1]: squeeze must be 0 or 1, got true")
end

os.exit(lu.LuaUnit.run())
