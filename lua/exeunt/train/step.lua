-- step.lua: the training step: from a network's graph to a compiled plan that one call runs. It derives the training form,
-- and appends, for exits i = 1..E with logits z_i (N, K) and labels y (N):
--     loss.<exit> = CE(z_i, y) (mean; class weights as PyTorch's)      hits.<exit> = how many z_i get right
--     loss = sum_i a_i loss.<exit>, with a (E) as the input "loss_weights"
-- then gradients towards trainable parameters, their norm, a scale where they are clipped, and the optimiser's updates.
-- The loss, that norm and the norm of the batch statistics must be finite before any of it is committed.
-- It knows no epochs, no files and no validation. The network's own graph is left as it is.

local core = require "exeunt.core"
local tensor = require "exeunt.tensor"
local Plan = require "exeunt.plan"

local Step = {}
Step.__index = Step

-- The name of the graph's image input.
local function image_input(g)
  for _, v in ipairs(g:values()) do
    if v.kind == "input" then return v.name end
  end
  core.raise("train: the network has no input")
end

local function append_losses(self, g, net)
  local labels = g:input("labels", { -1 }, "int32")
  local weights = self.class_weights and g:input("class_weights", { net.classes }, "float32")
  local losses, hits = {}, {}
  for i, exit in ipairs(net.exits) do
    local z = g:find(exit.logits)
    losses[i] = g:node("loss." .. exit.name, "softmax_cross_entropy", { z, labels, weights or nil })
    hits[i] = g:node("hits." .. exit.name, "hits", { z, labels })
  end
  local total = g:node("loss", "weighted_sum", { g:input("loss_weights", { #net.exits }, "float32"), unpack(losses) })
  return total, losses, hits
end

-- Trainable parameters that the loss reaches, and their gradients, in the order of the graph.
local function append_gradients(g, total)
  local trainable = {}
  for _, v in ipairs(g:values()) do
    if v.kind == "parameter" and g:trainable(v) then trainable[#trainable + 1] = v end
  end
  if #trainable == 0 then core.raise("train: nothing to train, every parameter is frozen") end
  local params, grads = {}, {}
  for i, grad in ipairs(g:gradient(total, trainable)) do
    if grad then params[#params + 1], grads[#grads + 1] = trainable[i], grad end
  end
  if #params == 0 then core.raise("train: no trainable parameter leads to a loss") end
  return params, grads
end

-- What training batch norms add to their running values.
local function batch_statistics(g)
  local list = {}
  for _, n in ipairs(g:nodes()) do
    if n.op == "running_update" then list[#list + 1] = n.inputs[2] end
  end
  return list
end

-- new(net, { optimizer, batch, clip, class_weights, passes }): the compiled step; passes as in plan.lua.
function Step.new(net, o)
  local g = net.graph:training()
  local self = setmetatable({ graph = g, exits = #net.exits, class_weights = o.class_weights, image = image_input(g) }, Step)
  local total, losses, hits = append_losses(self, g, net)
  local params, grads = append_gradients(g, total)
  local norm, statistics = g:node("norm", "global_norm", grads), batch_statistics(g)
  local guards = { total, norm, #statistics > 0 and g:node("statistics", "global_norm", statistics) or nil }
  local scale = o.clip and g:node("clip", "clip_scale", { norm }, { max = o.clip }) or g:input("scale", {}, "float32")
  self.update = o.optimizer:build(g, params, grads, scale)
  self.params = params
  local outputs = { total, unpack(losses) }
  for _, h in ipairs(hits) do outputs[#outputs + 1] = h end
  self.plan = Plan.new(g, { outputs = outputs, guards = guards, batch = o.batch, training = true, passes = o.passes })
  self:bind(o)
  return self
end

-- Binds all that stays: weights, scale, scalars of the optimiser; and makes room for the outputs.
function Step:bind(o)
  self.loss_weights = tensor.zeros({ self.exits })
  self.plan:bind("loss_weights", self.loss_weights)
  if self.class_weights then self.plan:bind("class_weights", tensor(self.class_weights)) end
  if not o.clip then self.plan:bind("scale", tensor.full({}, 1)) end
  self.update:bind(self.plan)
  self.out, self.cell = {}, {}
  for i = 1, 1 + 2 * self.exits do
    self.out[i] = tensor.zeros({})
    self.cell[i] = self.out[i]:data()
  end
end

-- feed(loader): binds the loader's two tensors, which it fills anew for each batch.
function Step:feed(loader)
  self.plan:bind(self.image, loader.images)
  self.plan:bind("labels", loader.labels)
end

-- weigh(a): the loss weights from now on.
function Step:weigh(a)
  self.loss_weights:copy_(tensor(a))
end

-- run(n, seed, t, factor): one step on n images; t counts steps from 1, factor multiplies the learning rates.
-- Then read(i): 1 the total loss, 1 + e exit e's, 1 + E + e its hits. Raises where the plan does; nothing is changed then.
function Step:run(n, seed, t, factor)
  self.update:set(factor, t)
  self.plan:run(n, seed, t)
  for i = 1, #self.out do self.plan:output(i, self.out[i]) end
end

function Step:read(i)
  return tonumber(self.cell[i][0])
end

return Step
