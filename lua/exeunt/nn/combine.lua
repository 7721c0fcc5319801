-- nn/combine.lua: layers made of layers. sequential runs its children one after the other; residual adds what two branches
-- make of the same value; add, concat and scale_channels join values that a script has at hand: nn.add()(g, name, a, b, ...).

local core = require "exeunt.core"
local layer = require "exeunt.nn.layer"
local options = require "exeunt.options"

local combine = {}

-- sequential{ layer, { "fc", layer }, ... }: children are named "0", "1", ... by position, or as the pair says.
function combine.sequential(children)
  if type(children) ~= "table" then core.raise("nn.sequential: expected a list of layers, got %s", type(children)) end
  local names, layers = {}, {}
  for i = 1, table.maxn(children) do
    local child, name = children[i], tostring(i - 1)
    if type(child) == "table" then name, child = child[1], child[2] end
    if type(child) ~= "function" or type(name) ~= "string" then
      core.raise("nn.sequential: child %d must be a layer or { name, layer }, got %s", i, type(children[i]))
    end
    names[i], layers[i] = name, child
  end
  return layer.define("sequential", function(g, prefix, x)
    for i, child in ipairs(layers) do x = child(g, layer.join(prefix, names[i]), x) end
    return x
  end)
end

-- add(): the sum of two or more values of one shape.
function combine.add()
  return layer.define("add", function(g, name, x, ...)
    local values = { x, ... }
    if #values == 2 then return g:node(name, "add", values) end
    return g:node(name, "add_n", values)
  end)
end

-- concat{ axis = 1 }: values side by side; axis counts from 0, so 1 is the channels.
function combine.concat(given)
  local o = options.check("nn.concat", given or {}, { axis = 1 })
  return layer.define("concat", function(g, name, ...) return g:node(name, "concat", { ... }, { axis = o.axis }) end)
end

-- scale_channels(): images x (N, C, H, W) times s (N, C) or (N, C, 1, 1), each channel of each image by its own number.
function combine.scale_channels()
  return layer.define("scale_channels", function(g, name, x, s) return g:node(name, "scale_channels", { x, s }) end)
end

-- residual{ body = layer, shortcut = layer or nothing, after = layer or nothing }: after(body(x) + shortcut(x)). The
-- children are named body and shortcut, the sum add, the last one after.
function combine.residual(given)
  local o = options.check("nn.residual", given, {
    body = options.required, shortcut = options.optional, after = options.optional,
  })
  return layer.define("residual", function(g, prefix, x)
    local y = o.body(g, layer.join(prefix, "body"), x)
    local short = o.shortcut and o.shortcut(g, layer.join(prefix, "shortcut"), x) or x
    y = combine.add()(g, layer.join(prefix, "add"), y, short)
    return o.after and o.after(g, layer.join(prefix, "after"), y) or y
  end)
end

return combine
