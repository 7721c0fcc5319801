-- op.lua: operators written in Lua. Their loops run over FFI pointers, which LuaJIT compiles; the plan stops at such a node,
-- this file calls the function, and the plan goes on.
--
--   ex.op.define {
--     name = "swish", elementwise = true, params = { beta = 1 },
--     forward  = function(out, in_, p, n)  for i = 0, n - 1 do out[i] = in_[i] / (1 + math.exp(-p.beta * in_[i])) end end,
--     gradient = function(din, dout, in_, out, p, n)  ...  end,
--   }
--   local y = g:node("act", "swish", { x }, { beta = 2 })
--
-- elementwise: pointers to n dense floats, the same order everywhere. Otherwise forward(out, in, params, n) gets operands
-- (tables { data, dim = {...}, count }), row-major in the logical order, n = images in this run; several inputs come as
-- lists. `shape = function(shapes, params) -> shape` says what comes out (default: the first input's shape; -1 is the batch).
-- Gradient functions write every element of din. Operators in a saved network are found by name: define them first.

local core = require "exeunt.core"
local options = require "exeunt.options"
local C, ffi = core.C, core.ffi

local op = {}
local defined = {}

-- define{ name, inputs = 1, elementwise = false, params = {}, shape, forward, gradient } -> a function
-- (g, name, x or {x, ...}, params) -> Value.
function op.define(given)
  local o = options.check("op.define", given, { name = options.required, inputs = 1, elementwise = false, params = {},
    shape = options.optional, forward = options.required, gradient = options.optional })
  local names = {}
  for name, default in pairs(o.params) do
    if type(default) ~= "number" then core.raise("op.define: parameter '%s' of '%s' must default to a number", name, o.name) end
    names[#names + 1] = name
  end
  table.sort(names)
  local array = ffi.new("const char *[?]", math.max(#names, 1), names)
  core.check(C.ex_op_declare(o.name, o.inputs, o.elementwise and 1 or 0, o.gradient and 1 or 0, #names, array))
  defined[o.name] = o
  return function(g, name, inputs, params) return op.node(g, name, o.name, inputs, params) end
end

-- node(g, name, op_name, x or list, params) -> Value: a node of an operator written in Lua, its shape asked for.
function op.node(g, name, op_name, inputs, params)
  local o = defined[op_name] or core.raise("%s: no operator '%s' was defined in Lua", name, tostring(op_name))
  if inputs.graph then inputs = { inputs } end
  local attrs = {}
  for k, v in pairs(options.check(name .. ": " .. op_name, params or {}, o.params)) do attrs[k] = v end
  if o.shape then
    local shapes = {}
    for i, v in ipairs(inputs) do shapes[i] = { unpack(v.shape) } end
    attrs.shape = o.shape(shapes, attrs)
    if #attrs.shape == 0 then core.raise("%s: %s: shape must give at least one axis", name, op_name) end
  end
  return g:node(name, op_name, inputs, attrs)
end

-- is_defined(name) -> boolean
function op.is_defined(name) return defined[name] ~= nil end

-- -- Serving a pause ---------------------------------------------------------------------------------------------------

local function params_of(pause, o)
  local p = {}
  for k, v in pairs(o.params) do p[k] = v end
  for i = 0, pause.attrs - 1 do
    local a = pause.attr[i]
    local name = ffi.string(a.name)
    if name ~= "shape" and a.count == 1 then p[name] = a.value[0] end
  end
  return p
end

local POINTER = { [0] = ffi.typeof("float *"), ffi.typeof("int32_t *"), ffi.typeof("uint8_t *") }

local function operand(info, elementwise)
  local data = ffi.cast(POINTER[info.dtype], info.data)
  if elementwise then return data end
  local dim = {}
  for i = 1, info.ndim do dim[i] = info.dim[i - 1] end
  return { data = data, dim = dim, count = info.count }
end

-- One operand alone, or a list of several.
local function operands(array, from, count, elementwise)
  if count == 1 then return operand(array[from], elementwise) end
  local list = {}
  for i = 1, count do list[i] = operand(array[from + i - 1], elementwise) end
  return list
end

-- serve(pause): runs the Lua function that a plan waits for.
function op.serve(pause)
  local name = ffi.string(pause.op)
  local forward_name = name:match("^(.*)%.gradient$")
  local o = defined[forward_name or name] or core.raise("operator '%s' is not defined in this process", name)
  local e, p = o.elementwise, params_of(pause, o)
  local n = e and tonumber(pause.output[0].count) or pause.n
  if not forward_name then
    return o.forward(operand(pause.output[0], e), operands(pause.input, 0, o.inputs, e), p, n)
  end
  return o.gradient(operands(pause.output, 0, o.inputs, e), operand(pause.input[0], e), operands(pause.input, 1, o.inputs, e),
                    operand(pause.input[o.inputs + 1], e), p, n)
end

return op
