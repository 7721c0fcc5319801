-- update.lua: what every optimiser shares when it appends its update nodes to a training graph: which group a parameter
-- belongs to, the bound scalars (learning rate of each group, step count t), and state tensors beside the parameters.
-- A state tensor has the shape and the memory order of its parameter (leaf.lua), starts at zero, and is named
-- optim/<param>/<what>.

local core = require "exeunt.core"
local tensor = require "exeunt.tensor"
local glob = require "exeunt.glob"
local leaf = require "exeunt.leaf"

local Update = {}
Update.__index = Update

-- new(where, g, params, o): o has lr, weight_decay and groups = { { pattern, lr = , weight_decay = }, ... }; the first
-- group whose pattern matches a parameter's name takes it. A group that takes nothing is an error.
function Update.new(where, g, params, o)
  local self = setmetatable({ graph = g, states = {}, rates = {}, where = where }, Update)
  self.groups = { self:rate("lr", o.lr, o.weight_decay) }
  for i, group in ipairs(o.groups or {}) do
    self.groups[i + 1] = self:rate("lr" .. i, group.lr or o.lr, group.weight_decay or o.weight_decay)
  end
  self.member, self.taken = {}, {}
  for _, p in ipairs(params) do
    local mine = self.groups[1]
    for i, group in ipairs(o.groups or {}) do
      if glob.matches(group[1], p.name) then
        mine, self.taken[i] = self.groups[i + 1], true
        break
      end
    end
    self.member[p.name], mine.used = mine, true
  end
  for i, group in ipairs(o.groups or {}) do
    if not self.taken[i] then core.raise("%s: group %q takes no trainable parameter", where, group[1]) end
  end
  return self
end

-- A learning rate: an input of the graph, bound to a scalar that `set` fills before each step.
function Update:rate(name, lr, weight_decay)
  local rate = { lr = lr, weight_decay = weight_decay, value = self.graph:input(name, {}, "float32"),
                 tensor = tensor.zeros({}), name = name }
  self.rates[#self.rates + 1] = rate
  return rate
end

-- count(): the input "t", the step's number from 1 on (Adam's bias correction).
function Update:count()
  if not self.t then
    self.t = { value = self.graph:input("t", {}, "float32"), tensor = tensor.zeros({}), name = "t" }
  end
  return self.t.value
end

function Update:state(p, what)
  local name = ("optim/%s/%s"):format(p.name, what)
  local t = leaf.new(p.shape)
  self.states[name] = t
  return self.graph:buffer(name, t)
end

-- bind(plan): binds the scalars that the plan asks for.
function Update:bind(plan)
  for _, rate in ipairs(self.rates) do
    if rate.used then plan:bind(rate.name, rate.tensor) end
  end
  if self.t then plan:bind("t", self.t.tensor) end
end

-- set(factor, t): the learning rates times `factor`, the step's number t.
function Update:set(factor, t)
  for _, rate in ipairs(self.rates) do rate.tensor:fill_(rate.lr * factor) end
  if self.t then self.t.tensor:fill_(t) end
end

return Update
