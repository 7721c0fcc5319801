-- nn/initial.lua: what parameters are drawn from at first, where a layer's default is not wanted. Each gives a
-- function(shape, seed, name) -> tensor; the numbers depend on seed and the parameter's name alone.
--     nn.conv2d { out = 64, kernel = 3, init = nn.initial.kaiming "fan_out", bias_init = nn.initial.zeros() }
-- With a weight's shape (out, in/groups, kH, kW) or (out, in), fan_in = in/groups kH kW and fan_out = out kH kW: groups do
-- not count in fan_out, as in PyTorch.

local core = require "exeunt.core"
local leaf = require "exeunt.leaf"

local initial = {}

-- normal(deviation): N(0, deviation^2).
function initial.normal(deviation)
  return function(shape, seed, name) return leaf.normal(shape, deviation, seed, name) end
end

-- kaiming(fan): N(0, 2 / fan), for layers that a relu follows (He et al. 2015, section 2.2); fan is "fan_in" or "fan_out".
function initial.kaiming(fan)
  if fan ~= "fan_in" and fan ~= "fan_out" then
    core.raise('nn.initial.kaiming: expected "fan_in" or "fan_out", got %s', tostring(fan))
  end
  return function(shape, seed, name)
    local count = (fan == "fan_in" and shape[2] or shape[1]) * (shape[3] or 1) * (shape[4] or 1)
    return leaf.normal(shape, math.sqrt(2 / count), seed, name)
  end
end

-- uniform_out(): U(-1/sqrt(out), 1/sqrt(out)), as EfficientNet's classifiers have it.
function initial.uniform_out()
  return function(shape, seed, name) return leaf.uniform(shape, 1 / math.sqrt(shape[1]), seed, name) end
end

-- zeros(), as for a bias.
function initial.zeros()
  return function(shape) return leaf.full(shape, 0) end
end

return initial
