-- graph_test.lua: building and looking at graphs from Lua.

local lu = require "luaunit"
local Graph = require "exeunt.graph"
local tensor = require "exeunt.tensor"

TestGraph = {}

local function two_layers()
  local g = Graph.new()
  local x = g:input("images", { -1, 3, 8, 8 })
  local y = g:node("conv", "conv2d", { x, g:parameter("conv.weight", tensor.zeros { 4, 3, 3, 3 }) }, { padding = 1, stride = { 2, 2 } })
  y = g:node("flat", "flatten", { g:node("act", "relu", { y }) })
  g:node("fc", "linear", { y, g:parameter("fc.weight", tensor.zeros { 10, 64 }), g:parameter("fc.bias", tensor.zeros { 10 }) })
  return g
end

function TestGraph.test_values_know_their_shapes()
  local g = two_layers()
  lu.assertEquals(g:find("conv").shape, { -1, 4, 4, 4 })
  lu.assertEquals(g:find("fc").shape, { -1, 10 })
  lu.assertEquals(tostring(g:find("conv")), "conv: float32 (N, 4, 4, 4)")
  lu.assertEquals(g:find("conv.weight").kind, "parameter")
  lu.assertNil(g:find("nowhere"))
  lu.assertErrorMsgContains("no value 'nowhere'", g.value, g, "nowhere")
  lu.assertIs(g:find("conv"), g:find("conv"))
end

function TestGraph.test_nodes_list_their_attributes_inputs_and_cost()
  local nodes = two_layers():nodes()
  lu.assertEquals(#nodes, 4)
  lu.assertEquals(nodes[1].op, "conv2d")
  lu.assertEquals(nodes[1].attrs.stride, { 2, 2 })
  lu.assertEquals(nodes[1].attrs.padding, { 1, 1 })
  lu.assertEquals(nodes[1].inputs[2].name, "conv.weight")
  lu.assertEquals(nodes[1].macs, 4 * 4 * 4 * 27)
end

function TestGraph.test_cost_is_a_sum()
  local cost = two_layers():cost()
  lu.assertEquals(cost.parameters, 108 + 640 + 10)
  lu.assertEquals(cost.macs, 4 * 4 * 4 * 27 + 640)
end

function TestGraph.test_extract_keeps_what_is_needed()
  local g = two_layers()
  local part = g:extract { g:find("act") }
  lu.assertNotNil(part:find("act"))
  lu.assertNil(part:find("fc.weight"))
  lu.assertErrorMsgContains("belongs to another graph", part.extract, part, { g:find("act") })
end

function TestGraph.test_gradient_gives_false_where_none_flows()
  local g = two_layers()
  local lone = g:parameter("lone", tensor.zeros { 2 })
  local loss = g:node("loss", "softmax_cross_entropy", { g:find("fc"), g:input("labels", { -1 }, "int32") })
  local grads = g:gradient(loss, { g:find("conv.weight"), lone })
  lu.assertEquals(grads[1].shape, { 4, 3, 3, 3 })
  lu.assertFalse(grads[2])
end

function TestGraph.test_freezing()
  local g = two_layers()
  lu.assertTrue(g:trainable("conv.weight"))
  g:set_trainable("conv.weight", false)
  lu.assertFalse(g:trainable("conv.weight"))
  lu.assertFalse(g:training():trainable("conv.weight"))
end

function TestGraph.test_an_input_that_is_no_value_is_told_with_its_place()
  local g = two_layers()
  lu.assertErrorMsgContains("x: conv2d: input 2 is a number", g.node, g, "x", "conv2d", { g:find("act"), 3 })
end

function TestGraph.test_wrong_words()
  local g = two_layers()
  lu.assertErrorMsgContains("did you mean 'relu'", g.node, g, "x", "rellu", { g:find("act") })
  local inputs = { g:find("images"), g:find("conv.weight") }
  lu.assertErrorMsgContains("did you mean 'padding'", g.node, g, "x", "conv2d", inputs, { pading = 1 })
  lu.assertErrorMsgContains("attribute 'padding' must be", g.node, g, "x", "conv2d", inputs, { padding = "1" })
  lu.assertErrorMsgContains("no type 'double'", g.input, g, "z", { 1 }, "double")
  lu.assertErrorMsgContains("'act' is taken", g.input, g, "act", { 1 })
end

os.exit(lu.LuaUnit.run())
