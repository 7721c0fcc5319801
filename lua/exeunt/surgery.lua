-- surgery.lua: copies graphs node by node in Lua, where a network is cut or grown: values keep their names, and the caller
-- says what becomes of leaves (shared or copied) and may append nodes right after a value has been made. The training
-- and inference forms of a graph are not its business: those are derived in C.

local Graph = require "exeunt.graph"

local surgery = {}

-- share: the copy keeps the leaf's own tensor. (copied leaves: exeunt.leaf's copy.)
function surgery.share(tensor) return tensor end

-- into(old, new, value, leaf): the leaf `value` of the graph `old` in the graph `new`.
local function copy_leaf(old, new, value, leaf)
  if value.kind == "input" then return new:input(value.name, value.shape, value.dtype) end
  local tensor = leaf(old:tensor(value.name))
  if value.kind == "buffer" then return new:buffer(value.name, tensor) end
  local copy = new:parameter(value.name, tensor)
  if not old:trainable(value) then new:set_trainable(value.name, false) end
  return copy
end

-- copy(old[, leaf[, made]]): a new graph with all that `old` has, in its order. made(new, value) is called after each
-- value (leaf or result) has its copy there.
function surgery.copy(old, leaf, made)
  local new, map = Graph.new(), {}
  leaf, made = leaf or surgery.share, made or function() end
  for _, value in ipairs(old:values()) do
    if value.kind == "input" then
      map[value.name] = copy_leaf(old, new, value, leaf)
      made(new, map[value.name])
    end
  end
  for _, node in ipairs(old:nodes()) do
    local inputs = {}
    for i, value in ipairs(node.inputs) do
      map[value.name] = map[value.name] or copy_leaf(old, new, value, leaf)
      inputs[i] = map[value.name]
    end
    local outputs = { new:node(node.name, node.op, inputs, node.attrs) }
    for i, value in ipairs(node.outputs) do
      map[value.name] = outputs[i]
      made(new, outputs[i])
    end
  end
  return new
end

return surgery
