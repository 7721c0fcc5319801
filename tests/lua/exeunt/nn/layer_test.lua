-- Layers: options, shapes, names and parameters of each, and calls that make no sense.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

local nn = ex.nn
local Graph = require "exeunt.graph"

TestLayers = {}

local function graph(shape)
  local g = Graph.new()
  g.seed = 1
  return g, g:input("x", shape or { -1, 4, 9, 9 })
end

local function shape(layer, input)
  local g, x = graph(input)
  local y = layer(g, "y", x)
  return y.shape, g
end

function TestLayers.test_conv2d()
  local s, g = shape(nn.conv2d { out = 6, kernel = { 3, 1 }, stride = { 2, 1 }, padding = { 1, 0 }, groups = 2 })
  lu.assertEquals(s, { -1, 6, 5, 9 })
  lu.assertEquals({ g:find("y.weight").shape, g:find("y.bias").shape }, { { 6, 2, 3, 1 }, { 6 } })
  lu.assertEquals((shape(nn.conv2d { out = 2, kernel = 3, dilation = 2, bias = false })), { -1, 2, 5, 5 })
  local _, plain = shape(nn.conv2d { out = 2, kernel = 3, bias = false })
  lu.assertNil(plain:find "y.bias")
end

function TestLayers.test_linear_and_flatten()
  local s, g = shape(nn.sequential { nn.flatten(), { "fc", nn.linear { out = 3 } } })
  lu.assertEquals(s, { -1, 3 })
  lu.assertEquals({ g:find("y.0").shape, g:find("y.fc.weight").shape }, { { -1, 324 }, { 3, 324 } })
end

function TestLayers.test_batch_norm()
  local s, g = shape(nn.batch_norm { eps = 1e-3, momentum = .01 })
  lu.assertEquals(s, { -1, 4, 9, 9 })
  lu.assertEquals(g:find("y.running_var").kind, "buffer")
  lu.assertEquals({ nets.flat(g:tensor "y.weight"), nets.flat(g:tensor "y.running_mean") }, { { 1, 1, 1, 1 }, { 0, 0, 0, 0 } })
  lu.assertEquals(g:nodes()[1].attrs, { eps = { 1e-3 }, momentum = { .01 } })
  lu.assertEquals((shape(nn.batch_norm(), { -1, 7 })), { -1, 7 })
end

function TestLayers.test_pools()
  lu.assertEquals((shape(nn.max_pool { kernel = 2 })), { -1, 4, 4, 4 })
  lu.assertEquals((shape(nn.max_pool { kernel = 2, ceil_mode = true })), { -1, 4, 5, 5 })
  lu.assertEquals((shape(nn.max_pool { kernel = 3, stride = 2, padding = 1 })), { -1, 4, 5, 5 })
  lu.assertEquals((shape(nn.avg_pool { kernel = 3, stride = 3 })), { -1, 4, 3, 3 })
  lu.assertEquals((shape(nn.global_avg_pool())), { -1, 4 })
  lu.assertEquals((shape(nn.adaptive_avg_pool { size = 7 })), { -1, 4, 7, 7 })
  lu.assertEquals((shape(nn.adaptive_avg_pool { size = { 2, 5 } })), { -1, 4, 2, 5 })
end

function TestLayers.test_elementwise_dropout_and_any_operator()
  for _, layer in ipairs { nn.relu(), nn.relu6(), nn.tanh(), nn.sigmoid(), nn.silu(), nn.hard_swish(), nn.hard_sigmoid(), nn.dropout(),
                         nn.stochastic_depth { p = 0.2 }, nn.op "relu" } do
    lu.assertEquals((shape(layer)), { -1, 4, 9, 9 })
  end
end

function TestLayers.test_joining()
  local g, x = graph()
  local a, b = nn.relu()(g, "a", x), nn.relu6()(g, "b", x)
  lu.assertEquals(nn.add()(g, "two", a, b).shape, { -1, 4, 9, 9 })
  lu.assertEquals(nn.add()(g, "three", a, b, x).shape, { -1, 4, 9, 9 })
  lu.assertEquals(nn.concat()(g, "side", a, b, x).shape, { -1, 12, 9, 9 })
  local s = nn.sigmoid()(g, "s", nn.global_avg_pool()(g, "avg", x))
  lu.assertEquals(nn.scale_channels()(g, "scaled", x, s).shape, { -1, 4, 9, 9 })
  local wider = nn.conv2d { out = 8, kernel = 1 }
  local y = nn.residual { body = wider, shortcut = wider, after = nn.relu() }(g, "r", x)
  lu.assertEquals({ y.name, y.shape }, { "r.after", { -1, 8, 9, 9 } })
  lu.assertNotNil(g:find "r.shortcut.weight")
  lu.assertEquals({ nn.join("", "a"), nn.join("a.0", "b"), nn.join(nil, "c") }, { "a", "a.0.b", "c" })
end

function TestLayers.test_refuses()
  local g, x = graph()
  local function message(layer, ...) return nets.message(layer, g, "here", ...) end
  lu.assertEquals(message(nn.linear { out = 3 }, x),
    "here: linear: input is (N, 4, 9, 9), expected rows (N, features): use nn.flatten() or nn.global_avg_pool() before it")
  lu.assertEquals(message(nn.conv2d { out = 3, kernel = 1, groups = 3 }, x),
                  "here: conv2d: 4 channels in and 3 out do not divide into 3 groups")
  lu.assertEquals(message(nn.relu(), nil), "here: nn.relu: the third argument must be a value of the graph, got nil")
  lu.assertEquals(message(nn.tanh(), nn.relu(g, "early", x)),
    "here: nn.tanh: the third argument must be a value of the graph, got function (a layer is made first: nn.relu()(g, name, x))")
  lu.assertEquals(nets.message(nn.conv2d, g, "here", x),
                  "nn.conv2d: expected options, got a graph: make the layer first, nn.conv2d { ... }(g, name, x)")
  lu.assertEquals(nets.message(nn.relu(), x), "nn.relu: a layer is called as layer(graph, name, value)")
  lu.assertEquals(nets.message(nn.sequential, { nn.relu(), nil, nn.relu() }),
                  "nn.sequential: child 2 must be a layer or { name, layer }, got nil")
  lu.assertEquals(nets.message(nn.conv2d, { out = 0, kernel = 1 }), "nn.conv2d: out must be a whole number from 1 on, got 0")
  lu.assertStrContains(nets.message(nn.conv2d, { out = 1, kernel_size = 1 }), "kernel")
  lu.assertStrContains(nets.message(nn.conv2d, { kernel = 1 }), "out")
  lu.assertEquals(nets.message(nn.dropout, { p = 1 }), "nn.dropout: p must be a number from 0 to below 1, got 1")
  lu.assertEquals(nets.message(nn.stochastic_depth, { p = -1 }), "nn.stochastic_depth: p must be a number from 0 to below 1, got -1")
  lu.assertEquals(nets.message(nn.adaptive_avg_pool, { size = 0 }), "nn.adaptive_avg_pool: size must be a whole number from 1 on, got 0")
  lu.assertEquals(nets.message(nn.op, 3), "nn.op: expected an operator's name, got number")
end

os.exit(lu.LuaUnit.run())
