-- The named networks: parameters and MACs as counted over torchvision's modules, stages, first numbers, what is refused.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestNamed = {}

-- METHOD's table: 3x64x64, 100 classes: parameters and MACs with the last exit only and with all exits.
local COSTS = {
  resnet50 = { 23712932, 333848576, 23892432, 334027776 },
  vgg16 = { 14765988, 1252837376, 14855888, 1252926976 },
  vgg16full = { 14765988, 1252837376, 14862388, 1252933376 },
  densenet169 = { 12650980, 274303488, 12753680, 274405888 },
  mobilenetv3small = { 1040844, 5016224, 1136204, 5678832 },
  mobilenetv3smallfull = { 1040844, 5016224, 1143548, 6077536 },
  efficientnetB5 = { 28545684, 197135424, 28882176, 201942464 },
  efficientnetB5full = { 28545684, 197135424, 29430764, 206985792 },
}

for name, wanted in pairs(COSTS) do
  TestNamed["test_costs_of_" .. name] = function()
    local net = ex.models[name] { input = { 3, 64, 64 }, classes = 100 }
    local one = net:cost()
    local all = ex.exits.anticipate(net):cost()
    lu.assertEquals({ one.params, one.macs, all.params, all.macs }, wanted)
  end
end

-- torchvision's own counts at 1000 classes; where its classifier is wider than the exit, without the classifier.
function TestNamed.test_parameters_of_the_others()
  local function params(name, options) return ex.models[name](options):cost().params end
  local function trunk(name)
    local net = ex.models[name] {}
    return net.graph:extract({ net.graph:find(net.stages[#net.stages]) }):cost().parameters
  end
  lu.assertEquals(params("resnet18", {}), 11689512)
  lu.assertEquals(params("densenet121", {}), 7978856)
  lu.assertEquals(params("efficientnetB0", {}), 5288548)
  lu.assertEquals(params("efficientnetB1", {}), 7794184)
  lu.assertEquals(params("mobilenetv3small", { head = "torchvision" }), 2542856)
  lu.assertEquals(params("mobilenetv3large", { head = "torchvision" }), 5483032)
  lu.assertEquals(trunk "vgg11_bn", 9225984)
  lu.assertEquals(trunk "vgg13", 9404992)
end

local function widths(name)
  local net = ex.models[name] { input = { 1, 32, 32 }, classes = 10 }
  local list = {}
  for i, stage in ipairs(net.stages) do list[i] = net.graph:find(stage).shape[2] end
  return list
end

function TestNamed.test_stages()
  lu.assertEquals(widths "resnet18", { 64, 128, 256, 512 })
  lu.assertEquals(widths "vgg11", { 128, 256, 512, 512 })
  lu.assertEquals(widths "vgg16full", { 64, 128, 256, 512, 512 })
  lu.assertEquals(widths "densenet121", { 128, 256, 512, 1024 })
  lu.assertEquals(widths "mobilenetv3small", { 24, 40, 48, 96 })
  lu.assertEquals(widths "mobilenetv3smallfull", { 16, 24, 40, 48, 96 })
  lu.assertEquals(widths "mobilenetv3large", { 24, 40, 80, 112, 160 })
  lu.assertEquals(widths "efficientnetB0", { 24, 80, 112, 320 })
end

-- The length of the weight's numbers by the root of their count is their deviation, whose own error is 1 / sqrt(2 count).
local function deviates(net, name, wanted)
  local t = net.graph:tensor(name)
  local flat = t:clone():reshape { -1 }
  local count = flat.shape[1]
  local found = math.sqrt((flat * flat):sum() / count)
  lu.assertAlmostEquals(found / wanted, 1, 5 / math.sqrt(2 * count), name)
  return flat:abs():max()
end

function TestNamed.test_first_numbers()
  local small = { input = { 1, 32, 32 }, classes = 10 }
  local net = ex.models.resnet18(small)
  lu.assertTrue(deviates(net, "layer2.0.conv1.weight", math.sqrt(2 / (128 * 9))) > 0.1)
  lu.assertTrue(deviates(net, "fc.weight", 1 / math.sqrt(3 * 512)) <= 1 / math.sqrt(512))
  net = ex.models.vgg11(small)
  deviates(net, "features.0.weight", math.sqrt(2 / (64 * 9)))
  lu.assertTrue(deviates(net, "classifier.weight", 0.01) > 0.02)
  lu.assertEquals(net.graph:tensor("features.0.bias"):abs():max(), 0)
  net = ex.models.densenet121(small)
  deviates(net, "features.denseblock1.denselayer1.conv2.weight", math.sqrt(2 / (128 * 9)))
  lu.assertEquals(net.graph:tensor("classifier.bias"):abs():max(), 0)
  net = ex.models.mobilenetv3small(small)
  deviates(net, "features.4.block.1.0.weight", math.sqrt(2 / (96 * 25)))
  deviates(net, "features.4.block.2.fc1.weight", math.sqrt(2 / 24))
  lu.assertEquals(net.graph:tensor("features.4.block.2.fc1.bias"):abs():max(), 0)
  net = ex.models.efficientnetB0(small)
  lu.assertTrue(deviates(net, "classifier.1.weight", 1 / math.sqrt(3 * 10)) <= 1 / math.sqrt(10))
end

function TestNamed.test_refuses()
  lu.assertEquals(nets.message(ex.models.resnet50, { depth = 20 }),
                  "models.resnet50: unknown option 'depth'; there are classes, head, input and seed")
  lu.assertEquals(nets.message(ex.models.vgg16, { input = { 1, 28, 28 } }),
                  "models.vgg16: images of 28 x 28 are too small for 5 poolings: they need 32 pixels")
  lu.assertEquals(nets.message(ex.models.mobilenetv3small, { head = "gap" }),
                  'models.mobilenetv3small: head must be "exit", "torchvision" or a function, got gap')
  lu.assertEquals(nets.message(function() return ex.models.mobilenet_v3_small end),
                  "ex.models has no 'mobilenet_v3_small'; did you mean 'mobilenetv3small'?")
end

os.exit(lu.LuaUnit.run())
