-- nn/simple.lua: layers without parameters. relu, relu6, tanh, sigmoid work element by element; flatten makes rows of
-- images in C, H, W order; dropout is the identity outside of training; op{ name, attrs } applies any operator of one
-- input by its name, those written in Lua too.

local core = require "exeunt.core"
local layer = require "exeunt.nn.layer"
local options = require "exeunt.options"

local simple = {}

for _, name in ipairs { "relu", "relu6", "tanh", "sigmoid" } do
  simple[name] = function()
    return layer.define(name, function(g, node, x) return g:node(node, name, { x }) end)
  end
end

function simple.flatten()
  return layer.define("flatten", function(g, name, x) return g:node(name, "flatten", { x }) end)
end

-- dropout{ p = 0.5 }: in training each element is zero with probability p, the others are scaled by 1 / (1 - p).
function simple.dropout(given)
  local o = options.check("nn.dropout", given or {}, { p = 0.5 })
  if type(o.p) ~= "number" or not (o.p >= 0 and o.p < 1) then
    core.raise("nn.dropout: p must be a number from 0 to below 1, got %s", tostring(o.p))
  end
  return layer.define("dropout", function(g, name, x) return g:node(name, "dropout", { x }, { p = o.p }) end)
end

-- op("leaky_relu"[, { slope = 0.1 }]): an operator as a layer.
function simple.op(op, attrs)
  if type(op) ~= "string" then core.raise("nn.op: expected an operator's name, got %s", type(op)) end
  return layer.define(op, function(g, name, x) return g:node(name, op, { x }, attrs) end)
end

return simple
