-- op_test.lua: operators written in Lua: an elementwise activation and a loss, in a graph, against finite differences.

local lu = require "luaunit"
local core = require "exeunt.core"
local Graph = require "exeunt.graph"
local Plan = require "exeunt.plan"
local op = require "exeunt.op"
local tensor = require "exeunt.tensor"

-- swish(x) = x / (1 + exp(-beta x)): one pointer per operand, n numbers, compiled by LuaJIT
local swish = op.define {
  name = "test_swish", elementwise = true, params = { beta = 1 },
  forward = function(out, x, p, n)
    for i = 0, n - 1 do out[i] = x[i] / (1 + math.exp(-p.beta * x[i])) end
  end,
  gradient = function(dx, dout, x, _, p, n)
    for i = 0, n - 1 do
      local s = 1 / (1 + math.exp(-p.beta * x[i]))
      dx[i] = dout[i] * (s + p.beta * x[i] * s * (1 - s))
    end
  end,
}

-- mean squared error of z (N, K) against t (N, K): a loss, so one number of shape {1}; row-major operands
local mse = op.define {
  name = "test_mse", inputs = 2,
  shape = function() return { 1 } end,
  forward = function(out, inputs, _, n)
    local z, t, sum = inputs[1].data, inputs[2].data, 0
    local count = n * inputs[1].dim[2]
    for i = 0, count - 1 do sum = sum + (z[i] - t[i]) ^ 2 end
    out.data[0] = sum / count
  end,
  gradient = function(din, dout, inputs, _, _, n)
    local z, t = inputs[1].data, inputs[2].data
    local count = n * inputs[1].dim[2]
    for i = 0, count - 1 do
      local d = 2 * (z[i] - t[i]) / count * dout.data[0]
      din[1].data[i], din[2].data[i] = d, -d
    end
  end,
}

-- sum of squares over each image of a (N, C, H, W) value: needs the logical order, so the plan puts copies around it
local weigh = op.define {
  name = "test_weigh",
  forward = function(out, x, _, n)
    local per = x.count / n
    for i = 0, n - 1 do
      for k = 0, per - 1 do out.data[i * per + k] = x.data[i * per + k] * k end
    end
  end,
}

TestOp = {}

local function random(shape, seed) return tensor.normal(shape, 0, 1, { seed = seed, stream = "test" }) end

-- d sum(loss) / d w by the rules of the graph and by central differences
local function check_gradient(build, shape)
  local g, w = Graph.new(), random(shape, 5)
  local p = g:parameter("w", w)
  local loss = build(g, p)
  local grad = g:gradient(loss, { p })[1]
  local plan = Plan.new(g, { outputs = { loss, grad }, training = true })
  plan:run(1)
  local d = plan:output(2):reshape { -1 }
  local flat, h = w:reshape { -1 }, 1e-2
  for i = 1, #flat do
    local at = flat[i]
    flat[i] = at + h
    plan:run(1)
    local up = plan:output(1):item()
    flat[i] = at - h
    plan:run(1)
    local down = plan:output(1):item()
    flat[i] = at
    lu.assertAlmostEquals(d[i], (up - down) / (2 * h), 2e-3)
  end
end

function TestOp.test_elementwise_activation_has_the_right_gradient()
  check_gradient(function(g, w) return g:node("loss", "sum", { swish(g, "act", w, { beta = 1.5 }) }) end, { 4, 3 })
end

function TestOp.test_loss_has_the_right_gradient()
  check_gradient(function(g, w)
    local t = g:buffer("t", random({ 4, 3 }, 9))
    return g:node("loss", "sum", { mse(g, "mse", { w, t }) })
  end, { 4, 3 })
end

function TestOp.test_values_worked_by_hand()
  local g = Graph.new()
  local x = g:buffer("x", tensor { 0, 1, -2 })
  local plan = Plan.new(g, { outputs = { swish(g, "y", x, { beta = 2 }) } })
  plan:run(1)
  local y = plan:output(1):to_list()
  lu.assertAlmostEquals(y[1], 0, 1e-7)
  lu.assertAlmostEquals(y[2], 1 / (1 + math.exp(-2)), 1e-6)
  lu.assertAlmostEquals(y[3], -2 / (1 + math.exp(4)), 1e-6)
end

function TestOp.test_images_come_in_the_logical_order()
  local g = Graph.new()
  local x = g:node("r", "relu", { g:input("x", { -1, 2, 2, 2 }) })
  local y = weigh(g, "y", x)
  local plan = Plan.new(g, { outputs = { y, g:node("z", "relu", { y }) }, batch = 2 })
  plan:bind("x", tensor.ones { 2, 2, 2, 2 })
  plan:run(2)
  local image = { { { 0, 1 }, { 2, 3 } }, { { 4, 5 }, { 6, 7 } } }
  for i = 1, 2 do lu.assertEquals(plan:output(i):to_list(), { image, image }) end
end

-- A parameter lies as its tensor does (a convolution's weight as kH, kW, in, out; a transposed view in columns).
function TestOp.test_parameters_come_in_the_logical_order()
  local double = op.define { name = "test_double", elementwise = true, inputs = 2,
                             forward = function(o, x, _, n) for i = 0, n - 1 do o[i] = x[1][i] + x[2][i] end end }
  local leaf = require "exeunt.leaf"
  local orders = { random({ 2, 3, 2, 4 }, 1), leaf.copy(random({ 2, 3, 2, 4 }, 1)), random({ 4, 3 }, 1):transpose(0, 1) }
  for _, w in ipairs(orders) do
    local g = Graph.new()
    local p = g:parameter("w", w)
    local held = g:node("held", "stop_gradient", { p })
    local outputs = { weigh(g, "a", p), weigh(g, "b", held), double(g, "c", { p, held }),
                      double(g, "d", { held, g:node("r", "relu", { p }) }) }
    local plan = Plan.new(g, { outputs = outputs, training = true })
    plan:run(1)
    local steps = tensor.arange(0, w:count(), 1, "float32"):reshape(w.shape)
    local expected = { w * steps, w * steps, w * 2, w + w:relu() }
    for i, t in ipairs(expected) do lu.assertEquals(plan:output(i):to_list(), t:to_list()) end
  end
end

function TestOp.test_an_error_inside_names_the_node_and_leaves_no_trace()
  local broken = op.define { name = "test_broken", forward = function() error("the user's mistake") end }
  local g, state = Graph.new(), tensor { 1, 2 }
  local w = g:buffer("state", state)
  local y = broken(g, "layer3.act", w)
  g:node("write", "running_update", { w, y })
  local plan = Plan.new(g, { outputs = { y }, training = true })
  lu.assertErrorMsgContains("layer3.act: test_broken:", plan.run, plan, 1)
  lu.assertErrorMsgContains("the user's mistake", plan.run, plan, 1)
  lu.assertEquals(state:to_list(), { 1, 2 })
end

function TestOp.test_mistakes_in_a_definition_are_told()
  lu.assertErrorMsgContains("forward", op.define, { name = "test_x" })
  lu.assertErrorMsgContains("did you mean 'forward'", op.define, { name = "test_x", forwards = print })
  lu.assertErrorMsgContains("built in", op.define, { name = "relu", forward = print })
  lu.assertErrorMsgContains("must default to a number", op.define, { name = "test_x", forward = print, params = { a = "b" } })
  local g = Graph.new()
  local x = g:buffer("x", tensor { 1 })
  lu.assertErrorMsgContains("did you mean 'beta'", swish, g, "y", x, { betta = 1 })
end

function TestOp.test_defining_again_replaces()
  local function times(factor)
    return op.define { name = "test_again", elementwise = true,
                       forward = function(o, x, _, n) for i = 0, n - 1 do o[i] = factor * x[i] end end }
  end
  local first = times(1)
  times(-1)
  local g = Graph.new()
  local plan = Plan.new(g, { outputs = { first(g, "y", g:buffer("x", tensor { 3 })) } })
  plan:run(1)
  lu.assertEquals(plan:output(1):to_list(), { -3 })
end

-- What a concat joins and what a slice takes have gaps between their pixels in a plan, which an operator written in Lua does
-- not see: it gets copies.
function TestOp.test_parts_of_values_come_without_gaps()
  local function outputs(passes)
    local g = Graph.new()
    local x = g:input("x", { -1, 5, 3, 2 })
    local a, b = g:node("a", "relu", { x }), g:node("b", "abs", { x })
    local both = g:node("both", "concat", { a, swish(g, "act", b, { beta = 1 }) }, { axis = 1 })
    local piece = g:node("piece", "slice", { both }, { axis = 1, start = 2, count = 4 })
    local outs = { both, weigh(g, "weigh", a), swish(g, "again", piece, { beta = 2 }) }
    local plan = Plan.new(g, { outputs = outs, batch = 3, passes = passes })
    plan:bind("x", random({ 3, 5, 3, 2 }, 3))
    plan:run(3)
    return plan
  end
  local with, without = outputs(), outputs "-parts"
  for i = 1, 3 do lu.assertEquals(with:output(i):to_list(), without:output(i):to_list()) end
end

lu.assertNotNil(core)
os.exit(lu.LuaUnit.run())
