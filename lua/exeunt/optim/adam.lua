-- adam.lua: Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), as torch.optim has them. With g' = scale g
-- (Adam adds weight_decay p to it; AdamW instead shrinks p by lr weight_decay):
--     m = beta1 m + (1 - beta1) g';  v = beta2 v + (1 - beta2) g'^2
--     p -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
-- Options: lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0 (adamw: 0.01), clip = largest norm of all
-- gradients together, groups.
-- The arithmetic is the operator `adam`; this file appends one such node for each parameter.

local options = require "exeunt.options"
local check = require "exeunt.optim.check"
local Update = require "exeunt.optim.update"

local Adam = {}
Adam.__index = Adam

function Adam:__tostring()
  return ("%s(lr %g, betas %g %g, weight decay %g)"):format(self.decoupled and "adamw" or "adam", self.lr, self.beta1, self.beta2,
                                                            self.weight_decay)
end

-- build(g, params, grads, scale): see optim/sgd.lua.
function Adam:build(g, params, grads, scale)
  local update = Update.new(self.where, g, params, self)
  for i, p in ipairs(params) do
    local group = update.member[p.name]
    g:node("update/" .. p.name, "adam",
           { p, grads[i], group.value, scale, update:count(), update:state(p, "m"), update:state(p, "v") },
           { beta1 = self.beta1, beta2 = self.beta2, eps = self.eps, weight_decay = group.weight_decay,
             decoupled = self.decoupled and 1 or 0 })
  end
  return update
end

local function constructor(where, decoupled, weight_decay)
  return function(given)
    local o = options.check(where, given or {}, { lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8,
                                           weight_decay = weight_decay, clip = options.optional, groups = {} })
    check.common(where, o)
    check.number(where, "beta1", o.beta1, 0, 1)
    check.number(where, "beta2", o.beta2, 0, 1)
    check.number(where, "eps", o.eps, 0, 1)
    o.where, o.decoupled = where, decoupled
    return setmetatable(o, Adam)
  end
end

return { adam = constructor("optim.adam", false, 0), adamw = constructor("optim.adamw", true, 0.01) }
