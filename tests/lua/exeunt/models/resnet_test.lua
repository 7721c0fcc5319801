-- ResNet: names, shapes and costs against PyTorch's (counted there over its own modules).

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestResnet = {}

local function costs(options)
  local c = ex.models.resnet(options):cost()
  return { c.params, c.macs }
end

function TestResnet.test_cifar_forms()
  lu.assertEquals(costs {}, { 272474, 40813184 })
  lu.assertEquals(costs { depth = 32 }, { 466906, 69124736 })
  lu.assertEquals(costs { depth = 56 }, { 855770, 125747840 })
  local c = ex.exits.anticipate(ex.models.resnet {}):cost()
  lu.assertEquals({ c.params, c.macs }, { 272974, 40813664 })
end

-- METHOD's table: torchvision's ResNet-50 with a 3x64x64 input and 100 classes.
function TestResnet.test_resnet50_as_in_the_paper()
  local net = ex.models.resnet {
    input = { 3, 64, 64 }, classes = 100, blocks = { 3, 4, 6, 3 }, widths = { 64, 128, 256, 512 }, block = "bottleneck", stem = "imagenet",
  }
  local c = net:cost()
  lu.assertEquals({ c.params, c.macs }, { 23712932, 333848576 })
  c = ex.exits.anticipate(net):cost()
  lu.assertEquals({ c.params, c.macs }, { 23892432, 334027776 })
  lu.assertEquals(net.graph:find("layer1.0.downsample.0.weight").shape, { 256, 64, 1, 1 })
  lu.assertEquals(net.graph:find("layer2.0.conv2.weight").shape, { 128, 128, 3, 3 })
  lu.assertEquals(net.graph:find("layer2.0.conv2").shape, { -1, 128, 8, 8 })
end

function TestResnet.test_names()
  local net = ex.models.resnet { depth = 8, input = { 1, 16, 16 }, classes = 3 }
  for name, shape in pairs {
    ["conv1.weight"] = { 16, 1, 3, 3 }, ["bn1.running_mean"] = { 16 }, ["layer1.0.conv1.weight"] = { 16, 16, 3, 3 },
    ["layer2.0.downsample.0.weight"] = { 32, 16, 1, 1 }, ["layer2.0.downsample.1.bias"] = { 32 }, ["layer3.0.bn2.weight"] = { 64 },
    ["fc.weight"] = { 3, 64 }, ["layer3.0.relu"] = { -1, 64, 4, 4 },
  } do
    lu.assertEquals((net.graph:find(name) or { shape = "no " .. name }).shape, shape)
  end
  lu.assertNil(net.graph:find "layer1.0.downsample.0.weight")
  lu.assertEquals(net.stages, { "layer1.0.relu", "layer2.0.relu", "layer3.0.relu" })
end

-- Option A: no parameters; half of the missing channels come before, half after, and what is kept is every second pixel.
function TestResnet.test_identity_shortcut()
  local net = ex.models.resnet { depth = 8, input = { 1, 16, 16 }, classes = 3, shortcut = "identity" }
  lu.assertEquals(net:cost().params, ex.models.resnet({ depth = 8, input = { 1, 16, 16 }, classes = 3 }):cost().params
                                     - (16 * 32 + 64 + 32 * 64 + 128))
  local x = nets.normal({ 2, 1, 16, 16 }, "x")
  local g = net.graph:extract { net.graph:find "layer1.0.relu", net.graph:find "layer2.0.downsample.pad" }
  local plan = ex.plan.new(g, { outputs = { g:find "layer1.0.relu", g:find "layer2.0.downsample.pad" }, batch = 2 })
  plan:bind("input", x)
  plan:run(2)
  local from, to = plan:output(1):to_list(), plan:output(2):to_list()
  for n = 1, 2 do
    for c = 1, 32 do
      for i = 1, 8 do
        local source = from[n][c - 8]
        lu.assertEquals(to[n][c][i][3], source and source[2 * i - 1][5] or 0)
      end
    end
  end
end

function TestResnet.test_refuses()
  lu.assertEquals(nets.message(ex.models.resnet, { depth = 21 }),
                  "models.resnet: depth must be 6n + 2 (20, 32, 56, ...), got 21; other forms: blocks = {...}")
  lu.assertEquals(nets.message(ex.models.resnet, { depth = 20, blocks = { 1 } }), "models.resnet: give depth or blocks, not both")
  lu.assertEquals(nets.message(ex.models.resnet, { shortcut = "none" }),
                  'models.resnet: shortcut must be "identity" or "projection", got none')
  lu.assertEquals(nets.message(ex.models.resnet, { blocks = { 1, 1 } }), "models.resnet: widths has 3 numbers, but there are 2 stages")
  lu.assertEquals(nets.message(ex.models.resnet, { depth = 8, widths = { 16, 64, 64 }, shortcut = "identity" }),
                  'models.resnet: layer2.0: shortcut = "identity" cannot lead from 16 channels to 64')
end

os.exit(lu.LuaUnit.run())
