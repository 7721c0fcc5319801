-- graph.lua: the graph, as Lua sees it. Layers append nodes here; nothing is computed (plan.lua does that).
--
--   local g = Graph.new()
--   local x = g:input("images", { -1, 1, 28, 28 })            -- -1: the batch
--   local w = g:parameter("conv.weight", tensor)
--   local y = g:node("conv", "conv2d", { x, w }, { padding = 1 })
--   print(y)                                                  -- conv: float32 (N, 32, 28, 28)
--
-- A Value is a light table { graph, id, name, shape, dtype, kind }; shape is a list with -1 for the batch. A graph is only
-- appended to; extract, training and copy give new ones whose leaves share tensors with the old.

local core = require "exeunt.core"
local C, ffi = core.C, core.ffi

local Graph = {}
Graph.__index = Graph

local Value = {}
Value.__index = Value

local DTYPE = { [0] = "float32", "int32", "uint8" }
local DTYPE_NUMBER = { float32 = 0, int32 = 1, uint8 = 2 }
local KIND = { [0] = "input", "parameter", "buffer", "result" }
local KIND_NUMBER = { parameter = 1, buffer = 2 }

local value_info = ffi.new("ex_value_info")
local node_info = ffi.new("ex_node_info")
local attr_info = ffi.new("ex_attr")

-- -- Values ---------------------------------------------------------------------------------------------------

function Value:__tostring()
  local dims = {}
  for i, d in ipairs(self.shape) do dims[i] = d == -1 and "N" or tostring(d) end
  return ("%s: %s (%s)"):format(self.name, self.dtype, table.concat(dims, ", "))
end

local function value_at(g, id)
  local known = g.known[id]
  if known then return known end
  core.check(C.ex_graph_value(g.handle, id, value_info))
  local shape = {}
  for i = 1, value_info.ndim do shape[i] = value_info.dim[i - 1] end
  local v = setmetatable({ graph = g, id = id, name = ffi.string(value_info.name), shape = shape,
                           dtype = DTYPE[value_info.dtype], kind = KIND[value_info.kind] }, Value)
  g.known[id] = v
  return v
end

local function is_value(v) return getmetatable(v) == Value end

-- ids(g, values): int32_t[] of a list of Values of this graph.
local function ids(g, values, what)
  local list = {}
  for i, v in ipairs(values) do
    if not is_value(v) then core.raise("%s: input %d is a %s, expected a value of a graph", what, i, type(v)) end
    if v.graph ~= g then core.raise("%s: input %d ('%s') belongs to another graph", what, i, v.name) end
    list[i] = v.id
  end
  return core.ints(list)
end

-- -- Building ---------------------------------------------------------------------------------------------------

local function wrap(handle)
  return setmetatable({ handle = core.own(handle, C.ex_graph_free), known = {} }, Graph)
end

-- Graph.new() -> an empty graph.
function Graph.new() return wrap(C.ex_graph_new()) end

-- g:input(name, shape[, dtype]) -> Value. A shape that begins with -1 is batched. dtype: "float32" by default.
function Graph:input(name, shape, dtype)
  local number = DTYPE_NUMBER[dtype or "float32"]
  if not number then core.raise("%s: no type '%s'; there are float32, int32 and uint8", name, tostring(dtype)) end
  local dims, n = core.ints(shape)
  return value_at(self, core.index(C.ex_graph_input(self.handle, name, number, n, dims)))
end

local function leaf(g, name, kind, tensor)
  return value_at(g, core.index(C.ex_graph_leaf(g.handle, name, KIND_NUMBER[kind], tensor.handle)))
end

-- g:parameter(name, tensor) -> Value: a leaf that training may change. The graph shares the tensor's storage.
function Graph:parameter(name, tensor) return leaf(self, name, "parameter", tensor) end

-- g:buffer(name, tensor) -> Value: state that is no parameter (running statistics, optimiser state).
function Graph:buffer(name, tensor) return leaf(self, name, "buffer", tensor) end

-- Named numbers -> ex_attr[]. Values: a number, a boolean, or a list of numbers.
local function attributes(attrs, where)
  local names = {}
  for k in pairs(attrs or {}) do names[#names + 1] = k end
  table.sort(names)
  local array = ffi.new("ex_attr[?]", math.max(#names, 1))
  for i, name in ipairs(names) do
    local value = attrs[name]
    if type(value) == "boolean" then value = value and 1 or 0 end
    if type(value) == "number" then value = { value } end
    if type(value) ~= "table" or #value > C.EX_MAX_ATTR then
      core.raise("%s: attribute '%s' must be a number or a list of up to %d numbers", where, name, C.EX_MAX_ATTR)
    end
    local a = array[i - 1]
    a.name, a.count = name, #value
    for k = 1, #value do
      if type(value[k]) ~= "number" then core.raise("%s: attribute '%s' holds a %s", where, name, type(value[k])) end
      a.value[k - 1] = value[k]
    end
  end
  return array, #names, names             -- names: kept alive by the caller while C reads them
end

-- g:node(name, op, inputs[, attrs]) -> Value, one per output of the operator.
function Graph:node(name, op, inputs, attrs)
  local where = name .. ": " .. op
  local array, n, keep = attributes(attrs, where)
  local input, count = ids(self, inputs, where)
  local node = core.index(C.ex_graph_node(self.handle, name, op, count, input, n, array))
  core.check(C.ex_graph_node_at(self.handle, node, node_info))
  local out = {}
  for k = 1, node_info.outputs do out[k] = value_at(self, C.ex_graph_node_output(self.handle, node, k - 1)) end
  return unpack(out, 1, keep and #out)
end

-- -- Looking ------------------------------------------------------------------------------------------------------

-- g:find(name) -> Value or nil.
function Graph:find(name)
  local id = C.ex_graph_find(self.handle, name)
  return id ~= C.EX_NONE and value_at(self, id) or nil
end

-- g:value(v or name) -> this graph's Value of that name; an error if there is none.
function Graph:value(v)
  local name = is_value(v) and v.name or v
  return self:find(name) or core.raise("the graph has no value '%s'", tostring(name))
end

-- g:values() -> list of all Values in order.
function Graph:values()
  local list = {}
  for id = 0, C.ex_graph_value_count(self.handle) - 1 do list[id + 1] = value_at(self, id) end
  return list
end

local function attr_table(g, node, count)
  local attrs = {}
  for i = 0, count - 1 do
    core.check(C.ex_graph_node_attr(g.handle, node, i, attr_info))
    local list = {}
    for k = 1, attr_info.count do list[k] = attr_info.value[k - 1] end
    attrs[ffi.string(attr_info.name)] = list
  end
  return attrs
end

-- g:nodes() -> list of { name, op, inputs = Values, outputs = Values, attrs = { name = list }, macs } in order.
function Graph:nodes()
  local list = {}
  for i = 0, C.ex_graph_node_count(self.handle) - 1 do
    core.check(C.ex_graph_node_at(self.handle, i, node_info))
    local node = { name = ffi.string(node_info.name), op = ffi.string(node_info.op), macs = node_info.macs, inputs = {}, outputs = {} }
    local inputs, outputs, attrs = node_info.inputs, node_info.outputs, node_info.attrs
    for k = 1, inputs do node.inputs[k] = value_at(self, C.ex_graph_node_input(self.handle, i, k - 1)) end
    for k = 1, outputs do node.outputs[k] = value_at(self, C.ex_graph_node_output(self.handle, i, k - 1)) end
    node.attrs = attr_table(self, i, attrs)
    list[i + 1] = node
  end
  return list
end

-- g:tensor(v or name) -> the tensor of a parameter or buffer (shared storage).
function Graph:tensor(v)
  return require("exeunt.tensor").wrap(C.ex_graph_tensor(self.handle, self:value(v).id))
end

-- g:trainable(v or name) -> boolean; g:set_trainable(v or name, boolean).
function Graph:trainable(v)
  core.check(C.ex_graph_value(self.handle, self:value(v).id, value_info))
  return value_info.trainable == 1
end

function Graph:set_trainable(v, on)
  core.check(C.ex_graph_set_trainable(self.handle, self:value(v).id, on and 1 or 0))
end

-- -- Derived graphs ---------------------------------------------------------------------------------------------------

-- g:extract(values) -> a new graph of what these values need (find them again by name).
function Graph:extract(values)
  local list, n = ids(self, values, "extract")
  return wrap(C.ex_graph_extract(self.handle, n, list))
end

-- g:training() -> a new graph in training form: batch statistics, dropout that drops.
function Graph:training() return wrap(C.ex_graph_training(self.handle)) end

-- g:gradient(loss, of) -> list: the Value d loss / d of[i], or false where no gradient flows. Appends to g.
function Graph:gradient(loss, of)
  local list, n = ids(self, of, "gradient")
  local out = ffi.new("int32_t[?]", math.max(n, 1))
  core.check(C.ex_graph_gradient(self.handle, ids(self, { loss }, "gradient")[0], n, list, out))
  local grads = {}
  for i = 1, n do grads[i] = out[i - 1] ~= C.EX_NONE and value_at(self, out[i - 1]) end
  return grads
end

-- g:cost() -> { parameters, macs, activation_bytes } for one image.
function Graph:cost()
  local cost = ffi.new("ex_cost")
  core.check(C.ex_graph_cost(self.handle, cost))
  return { parameters = cost.parameters, macs = cost.macs, activation_bytes = cost.activation_bytes }
end

function Graph:__tostring()
  local cost = self:cost()
  return ("graph: %d nodes, %d values, %d parameters, %.0f MACs"):format(C.ex_graph_node_count(self.handle),
    C.ex_graph_value_count(self.handle), cost.parameters, cost.macs)
end

return Graph
