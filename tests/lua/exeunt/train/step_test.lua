-- The training step: what is not finite is not committed, whatever the loss is.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"
local Step = require "exeunt.train.step"

TestStep = {}

-- The identity with a gradient that is not a number: the loss stays finite.
local poison = ex.op.define {
  name = "test_poison", elementwise = true,
  forward = function(out, x, _, n) for i = 0, n - 1 do out[i] = x[i] end end,
  gradient = function(dx, _, _, _, _, n) for i = 0, n - 1 do dx[i] = 0 / 0 end end,
}

local function step_of(poisoned, clip)
  local nn = ex.nn
  local net = ex.network { input = { 2, 3, 3 }, classes = 3, seed = 5, build = function(g, x)
    local y = nn.conv2d { out = 4, kernel = 3 }(g, "conv", x)
    if poisoned then y = poison(g, "poison", y) end
    return nn.linear { out = 3 }(g, "last", nn.flatten()(g, "flat", y))
  end }
  local step = Step.new(net, { batch = 2, clip = clip, optimizer = ex.optim.sgd { lr = 0.1 } })
  step:weigh { 1 }
  step:feed { images = nets.normal({ 2, 2, 3, 3 }, "images"), labels = ex.tensor({ 0, 2 }, "int32") }
  return step, net
end

function TestStep.test_a_step_moves_the_parameters()
  local step, net = step_of(false)
  local before = net.graph:tensor("conv.weight"):clone()
  step:run(2, 1, 1, 1)
  lu.assertTrue(step:read(1) > 0)
  lu.assertFalse(before:same_bits(net.graph:tensor "conv.weight"))
end

function TestStep.test_a_gradient_that_is_no_number_is_named_and_not_committed()
  for _, clip in ipairs { false, 1 } do
    local step, net = step_of(true, clip or nil)
    local before = { net.graph:tensor("conv.weight"):clone(), net.graph:tensor("last.weight"):clone() }
    local said = nets.message(step.run, step, 2, 1, 1, 1)
    lu.assertStrContains(said, "'norm' is nan: the first value that is not finite is made by 'poison/test_poison.gradient'")
    lu.assertTrue(before[1]:same_bits(net.graph:tensor "conv.weight"))
    lu.assertTrue(before[2]:same_bits(net.graph:tensor "last.weight"))
  end
end

-- A variance of about 1e38 does not fit, while the normalised values, the loss and the gradients do.
function TestStep.test_batch_statistics_that_overflow_are_not_committed()
  local nn = ex.nn
  local net = ex.network { input = { 1, 2, 2 }, classes = 2, seed = 5, build = function(g, x)
    return nn.sequential { nn.batch_norm(), nn.flatten(), nn.linear { out = 2 } }(g, "body", x)
  end }
  local step = Step.new(net, { batch = 2, optimizer = ex.optim.sgd { lr = 0.1 } })
  step:weigh { 1 }
  step:feed { images = ex.tensor.ones { 2, 1, 2, 2 } * 3e19, labels = ex.tensor({ 0, 1 }, "int32") }
  step:run(2, 1, 1, 1)
  local images = nets.normal({ 2, 1, 2, 2 }, "images") * 1e20
  step:feed { images = images, labels = ex.tensor({ 0, 1 }, "int32") }
  local before = net.graph:tensor("body.0.running_var"):clone()
  local said = nets.message(step.run, step, 2, 1, 2, 1)
  lu.assertStrContains(said, "'statistics' is inf: the first value that is not finite is made by 'body.0")
  lu.assertTrue(before:same_bits(net.graph:tensor "body.0.running_var"))
end

os.exit(lu.LuaUnit.run())
