-- Operators against PyTorch: each case of tests/golden/{conv,pool,dense,norm}.safetensors as a network has it, a graph with
-- its derived gradient, compiled and run. The plan's largest batch exceeds n, as in the last batch of an epoch.

package.path = "tests/support/?.lua;" .. package.path
local lu = require "luaunit"
local golden = require "golden"
local leaf = require "exeunt.leaf"
local Graph = require "exeunt.graph"
local Plan = require "exeunt.plan"

local SPARE = 2                             -- how much larger the plan's batch is than n

local function is_in(list, name)
  for _, item in ipairs(list) do if item == name then return true end end
  return false
end

-- Shape with the first axis as the batch.
local function batch_shape(shape)
  local out = { -1 }
  for i = 2, #shape do out[i] = shape[i] end
  return out
end

-- The graph of a case: values by input name, the output, tensors to bind by name.
local function build(case, get)
  local g, values, list, bound, n = Graph.new(), {}, {}, {}, 1
  for i, name in ipairs(case.inputs) do
    local t = get(case.name .. "." .. name)
    if is_in(case.batched, name) then
      values[name], bound[name], n = g:input(name, batch_shape(t.shape), t.dtype), t, t.shape[1]
    else
      values[name] = g:parameter(name, leaf.copy(t))
    end
    list[i] = values[name]
  end
  return g, g:node("case", case.op, list, case.attrs), values, bound, n
end

local function run_plan(g, outputs, training, bound, n)
  local plan = Plan.new(g, { outputs = outputs, guards = {}, batch = n + SPARE, training = training })
  for name, t in pairs(bound) do plan:bind(name, t) end
  plan:run(n, 1, 1)
  return plan
end

local function forward(case, get)
  local g, out, _, bound, n = build(case, get)
  local plan = run_plan(g, { out }, false, bound, n)
  golden.check("out", plan:output(1, nil, n), get(case.name .. ".out"), golden.FORWARD)
end

-- The gradient of sum(out * dout), which is dout at out.
local function gradient(case, get)
  local g, out, values, bound, n = build(case, get)
  local dout = get(case.name .. ".dout")
  bound.dout = dout
  local weight = g:input("dout", #case.batched > 0 and #out.shape > 0 and batch_shape(dout.shape) or dout.shape, "float32")
  local loss = g:node("loss", "sum", { g:node("weighted", "mul", { out, weight }) })
  local of = {}
  for i, name in ipairs(case.gradients) do of[i] = values[name] end
  local plan = run_plan(g, g:gradient(loss, of), true, bound, n)
  for i, name in ipairs(case.gradients) do
    golden.check("d" .. name, plan:output(i, nil, n), get(case.name .. ".d" .. name), golden.GRADIENT)
  end
end

for _, family in ipairs { "conv", "pool", "dense" } do
  local cases, get = golden.open(family)
  local title = family:sub(1, 1):upper() .. family:sub(2)
  _G["Test" .. title .. "Forward"], _G["Test" .. title .. "Gradient"] = {}, {}
  golden.tests(_G["Test" .. title .. "Forward"], cases, function(case) forward(case, get) end)
  local smooth = {}
  for _, case in ipairs(cases) do if #case.gradients > 0 then smooth[#smooth + 1] = case end end
  golden.tests(_G["Test" .. title .. "Gradient"], smooth, function(case) gradient(case, get) end)
end

-- -- Batch norm ------------------------------------------------------------------------------------

local norm_cases, norm_get = golden.open "norm"

-- The network's graph: x -> batch norm with the leaves of the case.
local function norm_graph(case, state)
  local g, at = Graph.new(), case.name .. "."
  local x = norm_get(at .. "x1")
  local input = g:input("x", batch_shape(x.shape), "float32")
  local gamma = g:parameter("gamma", leaf.copy(norm_get(at .. "gamma")))
  local beta = g:parameter("beta", leaf.copy(norm_get(at .. "beta")))
  local mean, var = g:buffer("mean", state.mean), g:buffer("var", state.var)
  g:node("norm", "batch_norm", { input, gamma, beta, mean, var }, { eps = case.eps, momentum = case.momentum })
  return g, x.shape
end

-- Compiles g with its gradient; gives run(step), which runs on that step's x and dout and compares all that comes back.
local function norm_plan(g, case, shape)
  local out = g:find "norm"
  local dout = g:input("dout", batch_shape(shape), "float32")
  local loss = g:node("loss", "sum", { g:node("weighted", "mul", { out, dout }) })
  local grads = g:gradient(loss, { g:find "x", g:find "gamma", g:find "beta" })
  local outputs = { out, grads[1], grads[2], grads[3] }
  local plan = Plan.new(g, { outputs = outputs, guards = {}, batch = shape[1] + SPARE, training = true })
  return function(step)
    plan:bind("x", norm_get(case.name .. ".x" .. step))
    plan:bind("dout", norm_get(case.name .. ".dout" .. step))
    plan:run(shape[1], 1, 1)
    for i, name in ipairs { "out", "dx", "dgamma", "dbeta" } do
      golden.check(name .. step, plan:output(i, nil, shape[1]), norm_get(case.name .. "." .. name .. step),
                   i == 1 and golden.FORWARD or golden.GRADIENT)
    end
  end
end

TestBatchNormTraining, TestBatchNormInference = {}, {}

-- The running statistics as they are after `step` steps.
local function norm_state(case, step)
  return { mean = leaf.copy(norm_get(case.name .. ".mean" .. step)), var = leaf.copy(norm_get(case.name .. ".var" .. step)) }
end

golden.tests(TestBatchNormTraining, norm_cases, function(case)
  local state = norm_state(case, 0)
  local g, shape = norm_graph(case, state)
  local run = norm_plan(g:training(), case, shape)
  for step = 1, case.steps do
    run(step)
    golden.check("running mean", state.mean, norm_get(case.name .. ".mean" .. step), golden.FORWARD)
    golden.check("running variance", state.var, norm_get(case.name .. ".var" .. step), golden.FORWARD)
  end
end)

golden.tests(TestBatchNormInference, norm_cases, function(case)
  local g, shape = norm_graph(case, norm_state(case, case.steps))
  norm_plan(g, case, shape) ""
end)

os.exit(lu.LuaUnit.run())
