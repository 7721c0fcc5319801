-- VGG: names, shapes and costs against PyTorch's (counted there over its own modules).

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestVgg = {}

-- The small VGG of bench/peers: conv 32, 32, pool, 64, 64, pool, 128, 128, pool, flatten, linear, with batch norm.
local function peers(options)
  options.head = "flatten"
  return ex.models.vgg(options)
end

function TestVgg.test_small_vgg_costs_what_pytorch_counts()
  local c = peers({}):cost()
  lu.assertEquals({ c.params, c.macs }, { 298410, 29138688 })
  local e = ex.exits.anticipate(peers {}):cost()
  lu.assertEquals({ e.params, e.macs }, { 299390, 29139648 })
end

function TestVgg.test_pooled_head()
  local c = ex.exits.anticipate(ex.models.vgg {}):cost()
  lu.assertEquals({ c.params, c.macs }, { 289150, 29129408 })
end

-- METHOD's table, counted from torchvision's modules with a 3x64x64 input and 100 classes.
local vgg16 = { input = { 3, 64, 64 }, classes = 100, widths = { 64, 128, 256, 512, 512 }, depths = { 2, 2, 3, 3, 3 }, batch_norm = false }

function TestVgg.test_vgg16_as_in_the_paper()
  local c = ex.models.vgg(vgg16):cost()
  lu.assertEquals({ c.params, c.macs }, { 14765988, 1252837376 })
  c = ex.exits.anticipate(ex.models.vgg(vgg16), { after = { 2, 3, 4, 5 } }):cost()
  lu.assertEquals({ c.params, c.macs }, { 14855888, 1252926976 })
  c = ex.exits.anticipate(ex.models.vgg(vgg16)):cost()
  lu.assertEquals({ c.params, c.macs }, { 14862388, 1252933376 })
end

function TestVgg.test_names_count_as_in_torchvision()
  local net = ex.models.vgg { widths = { 4, 6 }, depths = { 1, 2 } }
  local names = {}
  for i, p in ipairs(net:parameters()) do names[i] = p.name end
  lu.assertEquals(names, {
    "classifier.bias", "classifier.weight", "features.0.weight", "features.1.bias", "features.1.weight", "features.4.weight",
    "features.5.bias", "features.5.weight", "features.7.weight", "features.8.bias", "features.8.weight",
  })
  lu.assertEquals(net.stages, { "features.3", "features.10" })
  lu.assertEquals(net.graph:find("features.1.running_var").kind, "buffer")
  lu.assertEquals(net.graph:find("features.4.weight").shape, { 6, 4, 3, 3 })
end

function TestVgg.test_without_batch_norm_convolutions_have_a_bias()
  lu.assertNotNil(ex.models.vgg({ batch_norm = false }).graph:find "features.0.bias")
  lu.assertNil(ex.models.vgg({}).graph:find "features.0.bias")
  lu.assertNotNil(ex.models.vgg({ bias = true }).graph:find "features.0.bias")
end

function TestVgg.test_flatten_head_only_on_the_last_stage()
  local net = ex.exits.anticipate(peers { widths = { 4, 6 }, depths = 1 })
  lu.assertEquals(net.graph:find("exits.1.classifier.weight").shape, { 10, 4 })
  lu.assertEquals(net.graph:find("exits.2.classifier.weight").shape, { 10, 6 * 7 * 7 })
end

-- torchvision's three linear layers on averages over 7x7 windows; an earlier stage gets the small head.
function TestVgg.test_torchvision_s_classifier()
  local net = ex.models.vgg { input = { 1, 16, 16 }, classes = 3, widths = { 2, 3 }, depths = 1, head = "torchvision" }
  for name, shape in pairs {
    ["avgpool"] = { -1, 3, 7, 7 }, ["classifier.0.weight"] = { 4096, 147 }, ["classifier.3.bias"] = { 4096 },
    ["classifier.5"] = { -1, 4096 }, ["classifier.6.weight"] = { 3, 4096 },
  } do
    lu.assertEquals((net.graph:find(name) or { shape = "no " .. name }).shape, shape)
  end
  ex.exits.anticipate(net)
  lu.assertEquals(net.graph:find("exits.1.classifier.weight").shape, { 3, 2 })
  lu.assertEquals(net.graph:find("exits.2.classifier.6.weight").shape, { 3, 4096 })
end

function TestVgg.test_stages()
  local net = ex.models.vgg { input = { 1, 16, 16 }, widths = { 2, 3, 4 }, depths = 1, batch_norm = false, stages = { 2 } }
  lu.assertEquals(net.stages, { "features.5", "features.8" })
end

function TestVgg.test_own_head()
  local head = function(g, prefix, value, width, classes)
    lu.assertEquals(width, 128)
    return ex.nn.sequential { ex.nn.global_avg_pool(), { "out", ex.nn.linear { out = classes, bias = false } } }(g, prefix, value)
  end
  lu.assertEquals(ex.models.vgg({ head = head }).exits[1].logits, "out")
end

function TestVgg.test_refuses()
  lu.assertStrContains(nets.message(ex.models.vgg, { width = { 1 } }), "widths")
  lu.assertEquals(nets.message(ex.models.vgg, { depths = { 1, 2 } }), "models.vgg: depths has 2 numbers, but there are 3 stages")
  lu.assertEquals(nets.message(ex.models.vgg, { widths = {} }), "models.vgg: widths must be a list with a number for each stage")
  lu.assertEquals(nets.message(ex.models.vgg, { widths = { 0 } }), "models.vgg: widths must be a whole number from 1 on, got 0")
  lu.assertEquals(nets.message(ex.models.vgg, { head = "fc" }),
                  'models.vgg: head must be "flatten", "gap", "torchvision" or a function, got fc')
  lu.assertEquals(nets.message(ex.models.vgg, { input = { 28, 28 } }), "network: input must be {channels, height, width}")
  lu.assertEquals(nets.message(ex.models.vgg, { input = { 1, 4, 4 } }),
                  "models.vgg: images of 4 x 4 are too small for 3 poolings: they need 8 pixels")
  lu.assertEquals(nets.message(ex.models.vgg, { stages = { 4 } }), "models.vgg: stages names stage 4, but there are 3")
end

os.exit(lu.LuaUnit.run())
