-- Copying graphs: the same graph, shared or own leaves, and a hook after each value.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

local leaf = require "exeunt.leaf"
local surgery = require "exeunt.surgery"

TestSurgery = {}

local function text(g)
  local out = {}
  for _, n in ipairs(g:nodes()) do
    local inputs = {}
    for i, v in ipairs(n.inputs) do inputs[i] = tostring(v) end
    out[#out + 1] = { n.name, n.op, inputs, n.attrs, n.macs }
  end
  return out
end

function TestSurgery.test_same_graph()
  local net = nets.vgg()
  net:freeze "*.bias"
  local copy = surgery.copy(net.graph)
  lu.assertEquals(text(copy), text(net.graph))
  lu.assertEquals({ copy:trainable "features.1.bias", copy:trainable "features.1.weight" }, { false, true })
  lu.assertEquals(copy:cost(), net.graph:cost())
end

function TestSurgery.test_leaves_shared_or_own()
  local net = nets.vgg()
  local shared, own = surgery.copy(net.graph), surgery.copy(net.graph, leaf.copy)
  local w = nets.normal({ 4, 2, 3, 3 }, "w")
  net.graph:tensor("features.0.weight"):copy_(w)
  nets.same(lu, shared:tensor "features.0.weight", w)
  lu.assertNotEquals(nets.flat(own:tensor "features.0.weight"), nets.flat(w))
end

function TestSurgery.test_hook_sees_values_in_order_and_may_append()
  local net, seen = ex.models.lenet {}, {}
  local copy = surgery.copy(net.graph, nil, function(g, value)
    seen[#seen + 1] = value.name
    if value.name == "features.2" then ex.nn.global_avg_pool()(g, "more", value) end
  end)
  lu.assertEquals({ seen[1], seen[2], seen[#seen] }, { "input", "features.0", "classifier.4" })
  lu.assertEquals(copy:nodes()[4].name, "more")
end

os.exit(lu.LuaUnit.run())
