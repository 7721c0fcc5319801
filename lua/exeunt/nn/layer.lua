-- nn/layer.lua: what every layer shares. A layer is a function(g, name, x) -> y that appends nodes to the graph g under a
-- name and gives the value they make; its constructor checks the options once. There is no second tree of modules: the
-- graph is the network. Parameters take PyTorch's default initialisation, drawn from the stream that their full name is,
-- with g.seed, so that a parameter's numbers depend on neither the order of layers nor the threads.

local core = require "exeunt.core"
local leaf = require "exeunt.leaf"

local layer = {}

-- join(prefix, name): "layer1.0" and "conv1" make "layer1.0.conv1"; an empty prefix adds nothing.
function layer.join(prefix, name)
  if prefix == nil or prefix == "" then return name end
  return prefix .. "." .. name
end

-- shape(value): "(N, 3, 32, 32)".
function layer.shape(value)
  local out = {}
  for i, d in ipairs(value.shape) do out[i] = d < 0 and "N" or tostring(d) end
  return "(" .. table.concat(out, ", ") .. ")"
end

-- define(kind, build): the layer function, which sees to it that it was called as layer(g, name, x).
function layer.define(kind, build)
  return function(g, name, x, ...)
    if type(name) ~= "string" or type(g) ~= "table" then
      core.raise("nn.%s: a layer is called as layer(graph, name, value)", kind)
    end
    if type(x) ~= "table" or type(x.shape) ~= "table" then
      core.raise("%s: nn.%s: the third argument must be a value of the graph, got %s%s", name, kind, type(x),
                 type(x) == "function" and " (a layer is made first: nn.relu()(g, name, x))" or "")
    end
    return build(g, name, x, ...)
  end
end

-- expect(kind, name, x, wanted): an error unless x has one of the numbers of axes in `wanted`, a set.
function layer.expect(kind, name, x, wanted, form)
  if not wanted[#x.shape] then
    core.raise("%s: %s: input is %s, expected %s", name, kind, layer.shape(x), form)
  end
end

-- weight(g, name, shape, fan_in[, init]): a parameter from `init` (see initial.lua), by default from U(-1/sqrt(fan_in),
-- 1/sqrt(fan_in)), which is what PyTorch's kaiming_uniform with a = sqrt(5) comes to, and its default for biases.
function layer.weight(g, name, shape, fan_in, init)
  if init then return g:parameter(name, init(shape, g.seed or 0, name)) end
  return g:parameter(name, leaf.uniform(shape, 1 / math.sqrt(fan_in), g.seed or 0, name))
end

-- pair(x): {x, x} of a number, a list of two as it is.
function layer.pair(x)
  if type(x) == "table" then return x end
  return { x, x }
end

-- count(where, name, x): x, or an error unless it is a whole number from 1 on.
function layer.count(where, name, x)
  if type(x) ~= "number" or x < 1 or x ~= math.floor(x) or x > 2 ^ 31 - 1 then
    core.raise("%s: %s must be a whole number from 1 on, got %s", where, name, tostring(x))
  end
  return x
end

return layer
