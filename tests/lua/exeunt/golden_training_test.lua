-- Training against PyTorch: the optimisers over five steps (tests/golden/update.safetensors), and a small network with two
-- exits, its gradients and three whole training steps (tests/golden/step.safetensors).

package.path = "tests/support/?.lua;" .. package.path
local lu = require "luaunit"
local golden = require "golden"
local ex = require "exeunt"
local leaf = require "exeunt.leaf"
local Graph = require "exeunt.graph"
local Plan = require "exeunt.plan"
local Step = require "exeunt.train.step"

-- -- Optimisers ------------------------------------------------------------------------------------

local update_cases, update_get = golden.open "update"

local function optimizer_of(case)
  local o = {}
  for name, value in pairs(case.options) do
    if name == "betas" then o.beta1, o.beta2 = value[1], value[2] else o[name] = value end
  end
  return ex.optim[case.optimizer](o)
end

TestOptimizers = {}

golden.tests(TestOptimizers, update_cases, function(case)
  local g, params, grads, tensors = Graph.new(), {}, {}, {}
  local key = function(what, i, step) return ("%s.%s%d.%d"):format(case.name, what, i, step) end
  for i = 1, case.parameters do
    tensors[i] = leaf.copy(update_get(key("p", i, 0)))
    params[i] = g:parameter("p" .. i, tensors[i])
    grads[i] = g:input("g" .. i, tensors[i].shape, "float32")
  end
  local norm = g:node("norm", "global_norm", grads)
  local scale = case.clip and g:node("clip", "clip_scale", { norm }, { max = case.clip }) or g:input("scale", {}, "float32")
  local update = optimizer_of(case):build(g, params, grads, scale)
  local plan = Plan.new(g, { outputs = { norm }, guards = {}, batch = 1, training = true })
  update:bind(plan)
  if not case.clip then plan:bind("scale", ex.tensor(1)) end
  for step = 1, case.steps do
    for i = 1, case.parameters do plan:bind("g" .. i, update_get(key("g", i, step))) end
    update:set(1, step)
    plan:run(1, 1, step)
    if case.clip then
      golden.check("norm", plan:output(1), update_get(("%s.norm.%d"):format(case.name, step)), golden.FORWARD)
    end
    for i = 1, case.parameters do golden.check(key("p", i, step), tensors[i], update_get(key("p", i, step)), golden.FORWARD) end
  end
end)

-- -- A network with two exits ------------------------------------------------------------------------

local step_cases, step_get = golden.open "step"
local case = step_cases[1]
local N = 6                                 -- images; the plans are made for more

-- The network of generate.py's class Small, layer by layer, then its numbers put in.
local function small_network()
  local nn = ex.nn
  local g = Graph.new()
  local function conv(i, x, o)
    x = nn.conv2d(o)(g, "conv" .. i, x)
    return nn.batch_norm()(g, "bn" .. i, x)
  end
  local x = g:input("x", { -1, 1, 12, 12 }, "float32")
  x = nn.relu()(g, "relu1", conv(1, x, { out = 8, kernel = 3, padding = 1, bias = false }))
  x = nn.max_pool { kernel = 2 }(g, "pool", x)
  x = nn.relu()(g, "relu2", nn.add()(g, "add", x, conv(2, x, { out = 8, kernel = 3, padding = 1, bias = false })))
  local first = nn.linear { out = 5 }(g, "exit1", nn.global_avg_pool()(g, "gap", x))
  x = nn.relu()(g, "relu3", conv(3, x, { out = 12, kernel = 3, stride = 2, padding = 1 }))
  local second = nn.linear { out = 5 }(g, "exit2", nn.flatten()(g, "flatten", x))
  for _, list in ipairs { case.parameters, case.buffers } do
    for _, name in ipairs(list) do g:tensor(name):copy_(step_get(name .. ".0")) end
  end
  return { graph = g, classes = 5, exits = { { name = "exit1", logits = first.name }, { name = "exit2", logits = second.name } } }
end

TestTrainingStep = {}

-- The gradient of each parameter by itself, before any optimiser.
function TestTrainingStep:test_gradients()
  local net = small_network()
  local g = net.graph:training()
  local y, weights = g:input("y", { -1 }, "int32"), g:input("weights", { 2 }, "float32")
  local losses, of = {}, {}
  for i, exit in ipairs(net.exits) do
    losses[i] = g:node("loss" .. i, "softmax_cross_entropy", { g:find(exit.logits), y })
  end
  local loss = g:node("loss", "weighted_sum", { weights, losses[1], losses[2] })
  for i, name in ipairs(case.parameters) do of[i] = g:find(name) end
  local outputs = g:gradient(loss, of)
  local more = { logits1 = g:find(net.exits[1].logits), logits2 = g:find(net.exits[2].logits), loss1 = losses[1], loss2 = losses[2],
                 loss = loss }
  local at = {}
  for name, value in pairs(more) do
    outputs[#outputs + 1] = value
    at[name] = #outputs
  end
  local plan = Plan.new(g, { outputs = outputs, guards = { loss }, batch = N + 2, training = true })
  plan:bind("x", step_get "x.1")
  plan:bind("y", step_get "y.1")
  plan:bind("weights", ex.tensor(case.weights))
  plan:run(N, 1, 1)
  for name, i in pairs(at) do golden.check(name, plan:output(i, nil, N), step_get(name .. ".1"), golden.FORWARD) end
  for i, name in ipairs(case.parameters) do
    -- a bias before a batch norm has no gradient but rounding: the norm takes any constant away
    if name == "conv3.bias" then
      lu.assertTrue(golden.distance(plan:output(i, nil, N), ex.tensor.zeros { 12 }) < 1e-5, name)
    else
      golden.check(name, plan:output(i, nil, N), step_get(name .. ".grad.1"), golden.GRADIENT)
    end
  end
end

-- Three steps as ex.train takes them. What a step leaves is the next one's start, so distances may grow.
function TestTrainingStep:test_three_steps()
  local net = small_network()
  local step = Step.new(net, { batch = N + 2, optimizer = ex.optim.sgd {
    lr = case.lr, momentum = case.momentum, weight_decay = case.weight_decay } })
  step:weigh(case.weights)
  for s = 1, case.steps do
    step:feed { images = step_get("x." .. s), labels = step_get("y." .. s) }
    step:run(N, 1, s, 1)
    for i, name in ipairs { "loss", "loss1", "loss2" } do
      lu.assertAlmostEquals(step:read(i), step_get(name .. "." .. s):item(), s * golden.GRADIENT, name .. "." .. s)
    end
    for _, list in ipairs { case.parameters, case.buffers } do
      for _, name in ipairs(list) do
        golden.check(name .. "." .. s, net.graph:tensor(name), step_get(name .. "." .. s), s * golden.GRADIENT)
      end
    end
  end
end

os.exit(lu.LuaUnit.run())
