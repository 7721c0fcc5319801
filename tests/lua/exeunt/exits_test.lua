-- anticipate: where exits come, what they are called, what stays as it was, what is refused.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestExits = {}

local SMALL = { input = { 2, 12, 12 }, classes = 4, widths = { 4, 6, 8 }, depths = 1, seed = 3 }

local function names(list, key)
  local out = {}
  for i, x in ipairs(list) do out[i] = x[key] end
  return out
end

function TestExits.test_after_every_stage()
  local net = ex.models.vgg(SMALL)
  lu.assertEquals(names(net.exits, "name"), { "exit1" })
  local same = ex.exits.anticipate(net)
  lu.assertIs(same, net)
  lu.assertEquals(names(net.exits, "name"), { "exit1", "exit2", "exit3" })
  lu.assertEquals(names(net.exits, "logits"), { "exits.1.classifier", "exits.2.classifier", "exits.3.classifier" })
  lu.assertEquals(names(net.exits, "stage"), { 1, 2, 3 })
  lu.assertEquals(net.stages, { "features.3", "features.7", "features.11" })
  lu.assertNil(net.graph:find "classifier.weight")
  lu.assertEquals(net.graph:find("exits.2.classifier.weight").shape, { 4, 6 })
  lu.assertEquals({ net.loss_weights, net.vote_weights }, { { 1 / 3, 1 / 3, 1 / 3 }, { 1 / 3, 1 / 3, 1 / 3 } })
end

function TestExits.test_the_last_stage_always_has_an_exit()
  local net = ex.exits.anticipate(ex.models.vgg(SMALL), { after = { 2 } })
  lu.assertEquals(names(net.exits, "stage"), { 2, 3 })
  lu.assertEquals(names(net.exits, "logits"), { "exits.1.classifier", "exits.2.classifier" })
  lu.assertEquals(#net.stages, 3)
end

function TestExits.test_after_a_value_by_name()
  local net = ex.exits.anticipate(ex.models.vgg(SMALL), { after = { "features.6", 1 } })
  lu.assertEquals(net.stages, { "features.3", "features.6", "features.7", "features.11" })
  lu.assertEquals(names(net.exits, "stage"), { 1, 2, 4 })
  lu.assertEquals(net.graph:find("exits.2.avgpool").shape, { -1, 6 })
end

function TestExits.test_trunk_stays_and_exits_come_from_the_seed()
  local net = ex.models.vgg(SMALL)
  local before = net.graph:tensor("features.4.weight"):clone()
  ex.exits.anticipate(net)
  nets.same(lu, net.graph:tensor "features.4.weight", before)
  local first = net.graph:tensor("exits.3.classifier.weight"):clone()
  net.graph:tensor("exits.3.classifier.weight"):copy_(nets.normal({ 4, 8 }, "other"))
  ex.exits.anticipate(net)
  nets.same(lu, net.graph:tensor "exits.3.classifier.weight", first)
  local other = { seed = 4 }
  for k, v in pairs(SMALL) do other[k] = other[k] or v end
  local there = ex.exits.anticipate(ex.models.vgg(other)).graph:tensor "exits.3.classifier.weight"
  lu.assertNotEquals(nets.flat(there), nets.flat(first))
end

function TestExits.test_frozen_stays_frozen()
  local net = ex.models.vgg(SMALL)
  net:freeze "features.0.*"
  ex.exits.anticipate(net)
  lu.assertFalse(net.graph:trainable "features.0.weight")
  lu.assertTrue(net.graph:trainable "features.4.weight")
end

function TestExits.test_own_head()
  local seen = {}
  local net = ex.exits.anticipate(ex.models.vgg(SMALL), { head = function(g, prefix, value, width, classes)
    seen[#seen + 1] = { prefix, value.name, width, classes }
    return ex.nn.sequential { ex.nn.flatten(), ex.nn.linear { out = 5 }, ex.nn.relu(), ex.nn.linear { out = classes } }(g, prefix, value)
  end })
  lu.assertEquals(seen, { { "exits.1", "features.3", 4, 4 }, { "exits.2", "features.7", 6, 4 }, { "exits.3", "features.11", 8, 4 } })
  lu.assertEquals(net.exits[1].logits, "exits.1.3")
  local vote, each = net:forward(nets.normal({ 2, 2, 12, 12 }, "x"))
  lu.assertEquals({ vote.shape, #each }, { { 2, 4 }, 3 })
end

function TestExits.test_exit_follows_its_stage_in_the_graph()
  local order = names(ex.exits.anticipate(ex.models.vgg(SMALL)).graph:nodes(), "name")
  local at = {}
  for i, name in ipairs(order) do at[name] = i end
  lu.assertEquals({ at["exits.1.avgpool"] - at["features.3"], at["features.4"] - at["exits.1.classifier"] }, { 1, 1 })
end

function TestExits.test_refuses()
  local function message(options, net) return nets.message(ex.exits.anticipate, net or ex.models.vgg(SMALL), options) end
  lu.assertEquals(message { after = { 4 } }, "exits.anticipate: there is no stage 4; the network has 3")
  lu.assertEquals(message { after = { "features.99" } }, "exits.anticipate: the network makes no value named features.99")
  lu.assertEquals(message { after = { "features.0.weight" } }, "exits.anticipate: the network makes no value named features.0.weight")
  lu.assertEquals(message { after = {} }, 'exits.anticipate: after must be a list of stages, such as {1, 2}, or "all"')
  lu.assertStrContains(message { heads = 1 }, "head")
  lu.assertEquals(message { head = "gap" }, "exits.anticipate: head must be a function(g, prefix, value, width, classes), got string")
  lu.assertEquals(message { head = function(_, _, value) return value end },
                  "exits.1: what head returned: features.3 is (N, 4, 6, 6), expected logits (N, 4)")
  lu.assertEquals(message { head = function() end }, "exits.1: what head returned: expected the logits (N, 4), got nil")
  local plain = ex.network { input = { 1, 4, 4 }, classes = 2, build = function(g, x)
    return ex.nn.sequential { ex.nn.flatten(), ex.nn.linear { out = 2 } }(g, "", x)
  end }
  lu.assertEquals(message({}, plain), "exits.anticipate: the network has no head to build exits from (a network file does not hold "
    .. "one); give it: head = function(g, prefix, value, width, classes) ... return logits end")
  lu.assertEquals(message({ head = function() end }, plain),
                  "exits.anticipate: the network marks no stages: call g:stage(value) where an exit may be")
end

function TestExits.test_a_refused_call_changes_nothing()
  local net = ex.models.vgg(SMALL)
  local text = tostring(net)
  nets.message(ex.exits.anticipate, net, { head = function(_, _, value) return value end })
  lu.assertEquals(tostring(net), text)
end

os.exit(lu.LuaUnit.run())
