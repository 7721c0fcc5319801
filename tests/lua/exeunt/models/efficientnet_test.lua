-- EfficientNet and its block: names, shapes, widths; numbers against torchvision's are in golden_test.lua.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"
local mbconv = require "exeunt.models.mbconv"

TestEfficientnet = {}

function TestEfficientnet.test_names()
  local net = ex.models.efficientnetB0 { input = { 1, 32, 32 }, classes = 10 }
  for name, shape in pairs {
    ["features.0.0.weight"] = { 32, 1, 3, 3 }, ["features.1.0.block.0.0.weight"] = { 32, 1, 3, 3 },
    ["features.1.0.block.1.fc1.weight"] = { 8, 32, 1, 1 }, ["features.2.1.block.2.fc1.weight"] = { 6, 144, 1, 1 },
    ["features.7.0.block.3.0.weight"] = { 320, 1152, 1, 1 }, ["features.8.1.weight"] = { 1280 }, ["classifier.1.weight"] = { 10, 1280 },
    ["features.2.1.stochastic_depth"] = { -1, 24, 8, 8 },
  } do
    lu.assertEquals((net.graph:find(name) or { shape = "no " .. name }).shape, shape, name)
  end
  lu.assertNil(net.graph:find "features.2.0.stochastic_depth")
end

-- The probability of being dropped grows along the blocks, of which B0 has 16.
function TestEfficientnet.test_stochastic_depth()
  local function probabilities(options)
    local list = {}
    for _, n in ipairs(ex.models.efficientnetB0(options).graph:nodes()) do
      if n.op == "stochastic_depth" then list[#list + 1] = n.attrs.p[1] end
    end
    return list
  end
  local list = probabilities { input = { 3, 32, 32 }, classes = 10 }
  lu.assertEquals(#list, 9)
  lu.assertAlmostEquals(list[1], 0.2 * 2 / 16, 1e-12)
  lu.assertAlmostEquals(list[9], 0.2 * 14 / 16, 1e-12)
  lu.assertEquals(probabilities { input = { 3, 32, 32 }, classes = 10, stochastic_depth = 0 }, {})
end

function TestEfficientnet.test_widths()
  for v, wanted in pairs { [16] = 16, [4] = 8, [25.6] = 24, [38.4] = 40, [128] = 128, [179.2] = 176, [10] = 16 } do
    lu.assertEquals(mbconv.divisible(v), wanted)
  end
end

function TestEfficientnet.test_refuses()
  lu.assertEquals(nets.message(ex.models.efficientnet, { stages = { 8 } }),
                  "models.efficientnet: stages names stage 8, but there are 7")
end

os.exit(lu.LuaUnit.run())
