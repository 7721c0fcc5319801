-- LeNet: cost against PyTorch's, names, and its two heads.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestLenet = {}

function TestLenet.test_cost_as_pytorch_counts()
  local c = ex.models.lenet({}):cost()
  lu.assertEquals({ c.params, c.macs }, { 61706, 416520 })
end

function TestLenet.test_names()
  local net = ex.models.lenet { classes = 3 }
  lu.assertEquals(net.graph:find("features.3.weight").shape, { 16, 6, 5, 5 })
  lu.assertEquals(net.graph:find("classifier.0.weight").shape, { 120, 400 })
  lu.assertEquals(net.graph:find("classifier.4.bias").shape, { 3 })
  lu.assertEquals(net.stages, { "features.2", "features.5" })
  lu.assertEquals(net.exits[1], { name = "exit1", logits = "classifier.4", stage = 2 })
end

function TestLenet.test_exits()
  local net = ex.exits.anticipate(ex.models.lenet {})
  lu.assertEquals(net.graph:find("exits.1.classifier.weight").shape, { 10, 6 })
  lu.assertEquals(net.graph:find("exits.2.classifier.0.weight").shape, { 120, 400 })
  local c = net:cost()
  lu.assertEquals({ c.params, c.macs }, { 61706 + 70, 416520 + 60 })
end

function TestLenet.test_other_sizes()
  lu.assertEquals(ex.models.lenet({ input = { 3, 32, 32 } }).graph:find("classifier.0.weight").shape, { 120, 576 })
  lu.assertStrContains(nets.message(ex.models.lenet, { input = { 1, 8, 8 } }), "features.3: conv2d: ")
end

os.exit(lu.LuaUnit.run())
