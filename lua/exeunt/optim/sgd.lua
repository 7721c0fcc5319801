-- sgd.lua: stochastic gradient descent, as torch.optim.SGD has it. With g' = scale g + weight_decay p:
--     momentum 0:  p -= lr g'
--     else:        v = momentum v + g' (v starts at 0);  p -= lr v, or with nesterov  p -= lr (g' + momentum v)
-- Options: lr (required), momentum = 0, nesterov = false, weight_decay = 0, clip = largest norm of all gradients together,
-- groups.
-- The arithmetic is the operator `sgd`; this file appends one such node for each parameter.

local options = require "exeunt.options"
local core = require "exeunt.core"
local check = require "exeunt.optim.check"
local Update = require "exeunt.optim.update"

local Sgd = {}
Sgd.__index = Sgd

function Sgd:__tostring()
  return ("sgd(lr %g, momentum %g%s, weight decay %g)"):format(self.lr, self.momentum, self.nesterov and " nesterov" or "",
                                                              self.weight_decay)
end

-- build(g, params, grads, scale): appends the updates of params (values) by grads (values) times the scalar value `scale`.
-- Gives an Update: what to bind and to set, and the state tensors.
function Sgd:build(g, params, grads, scale)
  local update = Update.new("optim.sgd", g, params, self)
  for i, p in ipairs(params) do
    local group = update.member[p.name]
    local inputs = { p, grads[i], group.value, scale }
    if self.momentum ~= 0 then inputs[5] = update:state(p, "velocity") end
    g:node("update/" .. p.name, "sgd", inputs,
           { momentum = self.momentum, nesterov = self.nesterov and 1 or 0, weight_decay = group.weight_decay })
  end
  return update
end

return function(given)
  local o = options.check("optim.sgd", given, { lr = options.required, momentum = 0, nesterov = false, weight_decay = 0,
                                                clip = options.optional, groups = {} })
  check.common("optim.sgd", o)
  check.number("optim.sgd", "momentum", o.momentum, 0, 1)
  if o.nesterov and o.momentum == 0 then core.raise("optim.sgd: nesterov needs a momentum above 0") end
  return setmetatable(o, Sgd)
end
