-- nn/linear.lua: y (N, out) = x (N, in) weight^T + bias, weight (out, in). Options: out, bias = true; `input` states the
-- width that x must have; left out, it is taken from x; `init` and `bias_init` draw weight and bias otherwise than by
-- default (nn.initial). Images are flattened before it, never silently.

local layer = require "exeunt.nn.layer"
local options = require "exeunt.options"

local linear = {}

local ROWS = { [2] = true }

function linear.linear(given)
  local o = options.check("nn.linear", given, {
    out = options.required, bias = true, input = options.optional, init = options.optional, bias_init = options.optional,
  })
  layer.count("nn.linear", "out", o.out)
  return layer.define("linear", function(g, name, x)
    layer.expect("linear", name, x, ROWS, "rows (N, features): use nn.flatten() or nn.global_avg_pool() before it")
    local width = o.input or x.shape[2]
    local inputs = { x, layer.weight(g, name .. ".weight", { o.out, width }, width, o.init) }
    if o.bias then inputs[3] = layer.weight(g, name .. ".bias", { o.out }, width, o.bias_init) end
    return g:node(name, "linear", inputs)
  end)
end

return linear
