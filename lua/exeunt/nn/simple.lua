-- nn/simple.lua: layers without parameters. relu, relu6, tanh, sigmoid, silu (x sigmoid(x)), hard_swish and hard_sigmoid
-- (min(max(x + 3, 0), 6) / 6) work element by element; flatten makes rows of images in C, H, W order; dropout and
-- stochastic_depth are the identity outside of training; op{ name, attrs } applies any operator of one input by its name,
-- those written in Lua too.

local core = require "exeunt.core"
local layer = require "exeunt.nn.layer"
local options = require "exeunt.options"

local simple = {}

for _, name in ipairs { "relu", "relu6", "tanh", "sigmoid", "silu", "hard_swish", "hard_sigmoid" } do
  simple[name] = function()
    return layer.define(name, function(g, node, x) return g:node(node, name, { x }) end)
  end
end

function simple.flatten()
  return layer.define("flatten", function(g, name, x) return g:node(name, "flatten", { x }) end)
end

local function probability(kind, p)
  if type(p) ~= "number" or not (p >= 0 and p < 1) then
    core.raise("nn.%s: p must be a number from 0 to below 1, got %s", kind, tostring(p))
  end
end

-- dropout{ p = 0.5 }: in training each element is zero with probability p, the others are scaled by 1 / (1 - p).
function simple.dropout(given)
  local o = options.check("nn.dropout", given or {}, { p = 0.5 })
  probability("dropout", o.p)
  return layer.define("dropout", function(g, name, x) return g:node(name, "dropout", { x }, { p = o.p }) end)
end

-- stochastic_depth{ p = 0.5 }: in training each image as a whole is zero with probability p, the others are scaled by
-- 1 / (1 - p).
function simple.stochastic_depth(given)
  local o = options.check("nn.stochastic_depth", given or {}, { p = 0.5 })
  probability("stochastic_depth", o.p)
  return layer.define("stochastic_depth", function(g, name, x) return g:node(name, "stochastic_depth", { x }, { p = o.p }) end)
end

-- op("leaky_relu"[, { slope = 0.1 }]): an operator as a layer.
function simple.op(op, attrs)
  if type(op) ~= "string" then core.raise("nn.op: expected an operator's name, got %s", type(op)) end
  return layer.define(op, function(g, name, x) return g:node(name, op, { x }, attrs) end)
end

return simple
