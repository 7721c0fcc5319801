-- tensor.lua: tensors as a person holds them: numbers of one type (float32, int32, uint8) in a shape. Views share numbers
-- with what they were cut from; everything else makes a new tensor.
--
--   local a = ex.tensor { { 1, 2, 3 }, { 4, 5, 6 } }         -- (2, 3) float32
--   a[2][3], a[-1][1]                                        -- 6, 4
--   a[1] = 0; a[{ 2, 1 }] = 7                                -- a row, an element
--   (a * 2 + 1):sum(0), a:mean(), a:matmul(b)                -- a tensor (3), a number, ...
--
-- Positions count from 1, as in Lua, and -1 is the last; axes count from 0, as in PyTorch and in the operators, and -1 is the
-- last. What has no axes left is a number. Lua's # cannot see a tensor's length: t:size().
-- Here: what a tensor is, its views, elements and printed form. tensor_make.lua makes tensors, tensor_math.lua computes.

local core = require "exeunt.core"
local options = require "exeunt.options"
local Seed = require "exeunt.seed"
local C, ffi = core.C, core.ffi

local tensor = {}          -- the module: ex.tensor
local Tensor = {}          -- the class: methods

local DTYPES = { "float32", "int32", "uint8" }
local DTYPE = { float32 = C.EX_FLOAT32, int32 = C.EX_INT32, uint8 = C.EX_UINT8 }
local POINTER = { float32 = ffi.typeof "float *", int32 = ffi.typeof "int32_t *", uint8 = ffi.typeof "uint8_t *" }
local HIGH = { int32 = 2147483647, uint8 = 255 }
local LOW = { int32 = -2147483648, uint8 = 0 }
local EDGE = 5             -- numbers printed at each end of an axis

local info = ffi.new "ex_tensor_info"

-- -- Words and checks ----------------------------------------------------------------------------------------

-- tensor.is(x) -> whether x is a tensor.
function tensor.is(x) return getmetatable(x) == Tensor end

local function shape_text(shape) return "(" .. table.concat(shape, ", ") .. ")" end

-- t.shape is a list of sizes that prints itself and that == compares.
local Shape = { __tostring = shape_text }

function Shape.__eq(a, b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return false end
  end
  return true
end

-- What a value is, for messages: "a tensor (2, 3)", "nil".
local function kind_of(x)
  if tensor.is(x) then return "a tensor " .. tostring(x.shape) end
  return type(x) == "nil" and "nil" or "a " .. type(x)
end

local function is_whole(x) return type(x) == "number" and x == math.floor(x) and math.abs(x) < math.huge end

local function check_dtype(where, dtype)
  if dtype == nil then return "float32" end
  if not DTYPE[dtype] then core.raise("%s: no type '%s'%s", where, tostring(dtype), options.suggest(dtype, DTYPES)) end
  return dtype
end

local function check_shape(where, shape)
  if type(shape) ~= "table" then core.raise("%s: a shape is a list of sizes, got %s", where, kind_of(shape)) end
  for i, size in ipairs(shape) do
    if not is_whole(size) or size < 0 or size > HIGH.int32 then
      core.raise("%s: size %s at place %d of the shape is not a whole number from 0 to 2^31 - 1", where, tostring(size), i)
    end
  end
  return shape
end

-- check_axis(where, t, axis) -> the axis from 0 on.
local function check_axis(where, t, axis)
  local n = #t.shape
  if not is_whole(axis) or axis >= n or axis < -n then
    core.raise("%s: no axis %s in a tensor of shape %s (axes count from 0)", where, tostring(axis), tostring(t.shape))
  end
  return axis < 0 and axis + n or axis
end

-- A position on an axis of `size`, from 0 on.
local function check_position(where, t, axis, i)
  local size = t.shape[axis + 1]
  if type(i) == "table" then
    core.raise("%s: a position is a number, got a table for axis %d; a range is t:slice(axis, first, last)", where, axis)
  end
  if not is_whole(i) or i == 0 or i > size or i < -size then
    core.raise("%s: position %s is outside axis %d of shape %s (positions count from 1)", where, tostring(i), axis,
               tostring(t.shape))
  end
  return i < 0 and i + size or i - 1
end

-- -- Making --------------------------------------------------------------------------------------------------

-- wrap(pointer) -> the tensor of a view that C returned; raises C's message on NULL. Freed with the last reference.
function tensor.wrap(pointer)
  local handle = core.own(pointer, C.ex_tensor_free)
  C.ex_tensor_describe(handle, info)
  local shape = setmetatable({}, Shape)
  for i = 1, info.ndim do shape[i] = info.dim[i - 1] end
  return setmetatable({ handle = handle, shape = shape, dtype = DTYPES[info.dtype + 1] }, Tensor)
end

local function new(shape, dtype)
  local dim, n = core.ints(shape)
  return tensor.wrap(C.ex_tensor_new(DTYPE[dtype], n, dim))
end

-- -- From Lua's numbers ----------------------------------------------------------------------------------------

-- The shape of a nested list, by its first elements.
local function list_shape(list, shape)
  if type(list) ~= "table" then return shape end
  if tensor.is(list) then core.raise("tensor: a list of tensors is joined by tensor.stack or tensor.concat") end
  shape[#shape + 1] = #list
  return #list == 0 and shape or list_shape(list[1], shape)
end

local function at_text(at) return #at == 0 and "" or " at [" .. table.concat(at, "][") .. "]" end

-- Writes a nested list, checked against `shape`, from data[offset] on; gives the offset behind it.
local function write_list(data, offset, list, shape, depth, dtype, at)
  if depth > #shape then
    if type(list) == "boolean" then list = list and 1 or 0 end
    if type(list) ~= "number" then core.raise("tensor: expected a number%s, got %s", at_text(at), kind_of(list)) end
    if HIGH[dtype] and not (list >= LOW[dtype] and list <= HIGH[dtype] and list == math.floor(list)) then
      core.raise("tensor: %s%s is no %s", tostring(list), at_text(at), dtype)
    end
    data[offset] = list
    return offset + 1
  end
  if type(list) ~= "table" or #list ~= shape[depth] then
    core.raise("tensor: ragged list: expected %d elements%s, got %s", shape[depth], at_text(at),
               type(list) == "table" and #list or kind_of(list))
  end
  for i = 1, #list do
    at[depth] = i
    offset = write_list(data, offset, list[i], shape, depth + 1, dtype, at)
  end
  at[depth] = nil
  return offset
end

-- ex.tensor(number or nested list or tensor[, dtype]) -> a new tensor, float32 unless another type is named.
local function from(_, value, dtype)
  if tensor.is(value) then return value:clone(dtype) end
  if type(value) ~= "number" and type(value) ~= "table" then
    core.raise("tensor: takes a number, a nested list of numbers or a tensor, got %s", kind_of(value))
  end
  local t = new(list_shape(value, {}), check_dtype("tensor", dtype))
  write_list(t:data(), 0, value, t.shape, 1, t.dtype, {})
  return t
end

-- t:to_list() -> nested Lua lists; a number of a tensor without axes.
function Tensor:to_list()
  local dense = self:dense()
  local data, shape, offset = dense:data(), self.shape, 0
  local function read(depth)
    if depth > #shape then
      offset = offset + 1
      return data[offset - 1]
    end
    local list = {}
    for i = 1, shape[depth] do list[i] = read(depth + 1) end
    return list
  end
  local list = read(1)
  return dense and list
end

-- -- Looking -------------------------------------------------------------------------------------------------

-- t:count() -> how many numbers. t:size([axis]) -> the size of an axis (0 unless told).
function Tensor:count()
  local n = 1
  for _, size in ipairs(self.shape) do n = n * size end
  return n
end

function Tensor:size(axis)
  if #self.shape == 0 and axis == nil then return 1 end
  return self.shape[check_axis("size", self, axis or 0) + 1]
end

function Tensor:describe()
  C.ex_tensor_describe(self.handle, info)
  return info
end

-- t:is_dense() -> row-major without gaps. t:version() grows with every write.
function Tensor:is_dense() return self:describe().dense == 1 end

function Tensor:version() return self:describe().version end

-- t:data() -> an FFI pointer to the first number (float *, int32_t * or uint8_t *). Valid while t lives; who writes through
-- it calls t:fill_ or t:copy_ for the rest of the engine to notice, or has made t itself.
function Tensor:data() return ffi.cast(POINTER[self.dtype], self:describe().data) end

-- t:text([edge]) -> the printed form, `edge` numbers at each end of a long axis.
function Tensor:text(edge)
  local length = C.ex_tensor_format(self.handle, edge or EDGE, nil, 0)
  local buffer = ffi.new("char[?]", length + 1)
  C.ex_tensor_format(self.handle, edge or EDGE, buffer, length + 1)
  return ffi.string(buffer, length)
end

function Tensor:__tostring()
  if rawget(self, "handle") == nil then return "tensor (freed)" end
  return self:text()
end

-- t:item() -> the number of a tensor that holds one.
function Tensor:item()
  if self:count() ~= 1 then
    core.raise("item: a tensor of shape %s holds %d numbers, not one", tostring(self.shape), self:count())
  end
  return self:get()
end

-- -- Elements -------------------------------------------------------------------------------------------------

local index = ffi.new("int32_t[?]", C.EX_MAX_DIMS)

-- The positions into `index`; without positions, the first element.
local function set_index(where, t, given)
  for axis = 0, #t.shape - 1 do
    index[axis] = #given == 0 and 0 or check_position(where, t, axis, given[axis + 1])
  end
end

local function element(t)
  return C.ex_tensor_get(t.handle, index)
end

-- t:get(i, j, ...) -> a number. t:set(i, j, ..., value).
function Tensor:get(...)
  local given = { ... }
  if #given ~= #self.shape and not (#given == 0 and self:count() == 1) then
    core.raise("get: %d positions in a tensor of shape %s", #given, tostring(self.shape))
  end
  set_index("get", self, given)
  return element(self)
end

function Tensor:set(...)
  local given = { ... }
  local value = table.remove(given)
  if #given ~= #self.shape then core.raise("set: %d positions in a tensor of shape %s", #given, tostring(self.shape)) end
  self[given] = value
  return self
end

-- t:select(axis, i) -> a view without that axis.
function Tensor:select(axis, i)
  axis = check_axis("select", self, axis)
  local view = self:narrow(axis, check_position("select", self, axis, i), 1)
  return view:squeeze(axis)
end

-- What positions (one, or a list of them from the first axis on) lead to: a view, perhaps without axes.
local function part(t, positions)
  if #positions > #t.shape then
    core.raise("index: %d positions in a tensor of shape %s", #positions, tostring(t.shape))
  end
  local view = t
  for _, i in ipairs(positions) do
    view = view:narrow(0, check_position("index", view, 0, i), 1):squeeze(0)
  end
  return view
end

-- PyTorch's words for what has another name here, to suggest it.
local ELSEWHERE = {
  T = "transpose", view = "reshape", contiguous = "dense", numel = "count", ndim = "shape", mm = "matmul",
  bmm = "matmul", astype = "to", type = "dtype", long = "int", numpy = "to_list", tolist = "to_list",
  t = "transpose", dim = "shape", totable = "to_list", detach = "clone", len = "size",
  cat = "concat", randint = "uniform", randperm = "permutation",
}

local function missing(what, name, names)
  local near = ELSEWHERE[name] or options.nearest(tostring(name), names)
  for _, known in ipairs(names) do
    if known == near then core.raise("%s '%s'; did you mean '%s'?", what, tostring(name), near) end
  end
  core.raise("%s '%s'", what, tostring(name))
end

-- t.name: a field or a method. t[i], t[{ i, j, ... }]: a number, or a view of what lies there.
function Tensor.__index(t, key)
  local method = Tensor[key]
  if method ~= nil then return method end
  if type(key) == "number" then
    if #t.shape == 1 then
      index[0] = check_position("index", t, 0, key)
      return element(t)
    end
    return part(t, { key })
  end
  if type(key) == "table" then
    local view = part(t, key)
    return #view.shape == 0 and view:get() or view
  end
  if key == "handle" then core.raise("this tensor was freed") end
  if type(key) == "string" and key:sub(1, 2) == "__" then return nil end
  missing("a tensor has no field or method", key, Tensor.__names())
end

-- t[i] = v, t[{ i, j }] = v: v is a number, a tensor that fits by broadcasting, or a nested list.
function Tensor.__newindex(t, key, value)
  if type(key) ~= "number" and type(key) ~= "table" then
    core.raise("a tensor has no field '%s' to set", tostring(key))
  end
  local view = part(t, type(key) == "number" and { key } or key)
  if type(value) == "number" then view:fill_(value)
  elseif type(value) == "boolean" then view:fill_(value and 1 or 0)
  elseif tensor.is(value) then view:copy_(value)
  elseif type(value) == "table" then view:copy_(from(nil, value))
  else core.raise("index: cannot assign %s to a part of a tensor", kind_of(value)) end
end

-- Iterates over the first axis: for i, row in t:rows() do ... end
function Tensor:rows()
  local i, n = 0, self:size(0)
  return function()
    i = i + 1
    if i <= n then return i, self[i] end
  end
end

-- The names of fields and methods, for completion and for suggestions.
function Tensor.__names()
  local names = { "shape", "dtype", "handle" }
  for name, value in pairs(Tensor) do
    if type(value) == "function" and name:sub(1, 2) ~= "__" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- -- Writing in place -------------------------------------------------------------------------------------------

-- t:copy_(source): the numbers of another tensor (any type; its shape is broadcast), or of a nested list. Gives t.
function Tensor:copy_(source)
  if not tensor.is(source) then source = from(nil, source) end
  if source.shape ~= self.shape then
    local dim, n = core.ints(self.shape)
    local wide = C.ex_tensor_broadcast(source.handle, n, dim)
    if wide == nil then
      core.raise("copy_: a tensor of shape %s does not fit into shape %s", tostring(source.shape), tostring(self.shape))
    end
    source = tensor.wrap(wide)
  end
  core.check(C.ex_tensor_copy(self.handle, source.handle))
  return self
end

-- t:fill_(number); t:zero_().
function Tensor:fill_(value)
  if type(value) ~= "number" then core.raise("fill: expected a number, got %s", kind_of(value)) end
  core.check(C.ex_tensor_fill(self.handle, value))
  return self
end

function Tensor:zero_() return self:fill_(0) end

local STREAM = { seed = options.optional, stream = options.optional }

-- t:uniform_([low, high, { seed, stream }]): numbers in [low, high), whole ones for integer types; [0, 1) by default.
-- The numbers depend on seed and the stream's name alone. Without them: ex.seed(), and another stream at each call.
function Tensor:uniform_(low, high, given)
  local o = options.check("uniform", given, STREAM)
  core.check(C.ex_tensor_uniform(self.handle, o.seed or Seed(), o.stream or Seed.next(), low or 0, high or 1))
  return self
end

-- t:normal_([mean, deviation, { seed, stream }]).
function Tensor:normal_(mean, deviation, given)
  local o = options.check("normal", given, STREAM)
  core.check(C.ex_tensor_normal(self.handle, o.seed or Seed(), o.stream or Seed.next(), mean or 0, deviation or 1))
  return self
end

-- -- Views -----------------------------------------------------------------------------------------------------

-- t:narrow(axis, start, count): from position start + 1 on. For the engine's own use; a person writes slice.
function Tensor:narrow(axis, start, count) return tensor.wrap(C.ex_tensor_slice(self.handle, axis, start, count, 1)) end

-- t:slice(axis, first[, last[, step]]): positions first to last, both included; negative ones count from the end, as in
-- string.sub; a negative step goes backwards.
function Tensor:slice(axis, first, last, step)
  axis, step = check_axis("slice", self, axis), step or 1
  local size = self.shape[axis + 1]
  if last == nil then last = step > 0 and size or 1 end
  if not is_whole(step) or step == 0 then core.raise("slice: step %s is not a whole number other than 0", tostring(step)) end
  if not is_whole(first) or not is_whole(last) then
    core.raise("slice: positions are whole numbers, got %s and %s", tostring(first), tostring(last))
  end
  local from_, to = first < 0 and first + size or first - 1, last < 0 and last + size or last - 1
  local count = math.max(0, math.floor((to - from_) / step) + 1)
  if count > 0 and (from_ < 0 or from_ >= size or to < 0 or to >= size) then
    core.raise("slice: positions %d to %d are outside axis %d of shape %s", first, last, axis, tostring(self.shape))
  end
  if count == 0 then from_ = 0 end
  return tensor.wrap(C.ex_tensor_slice(self.handle, axis, from_, count, step))
end

-- t:permute(2, 0, 1) or t:permute{2, 0, 1}: axes in another order. t:transpose([a, b]): two axes swapped (0 and 1).
function Tensor:permute(...)
  local given = type(...) == "table" and (...) or { ... }
  if #given ~= #self.shape then core.raise("permute: %d axes in a tensor of shape %s", #given, tostring(self.shape)) end
  local order = {}
  for i, axis in ipairs(given) do order[i] = check_axis("permute", self, axis) end
  return tensor.wrap(C.ex_tensor_permute(self.handle, (core.ints(order))))
end

function Tensor:transpose(a, b)
  a, b = check_axis("transpose", self, a or 0), check_axis("transpose", self, b or 1)
  local order = {}
  for i = 1, #self.shape do order[i] = i - 1 end
  order[a + 1], order[b + 1] = b, a
  return self:permute(order)
end

-- t:reshape(2, -1) or t:reshape{2, -1}: the same numbers in another shape; a view where strides allow, else a copy.
function Tensor:reshape(...)
  local given = type(...) == "table" and (...) or { ... }
  for i, size in ipairs(given) do
    if not is_whole(size) or size < -1 or size > HIGH.int32 then
      core.raise("reshape: size %s at place %d is not a whole number from -1 to 2^31 - 1", tostring(size), i)
    end
  end
  local dim, n = core.ints(given)
  local view = C.ex_tensor_reshape(self.handle, n, dim)
  if view == nil and not self:is_dense() then view = C.ex_tensor_reshape(self:clone().handle, n, dim) end
  return tensor.wrap(view)
end

function Tensor:flatten() return self:reshape(-1) end

-- t:squeeze([axis]): without that axis of size 1 (without an axis: all of them). t:unsqueeze(axis): with one more.
function Tensor:squeeze(axis)
  local shape = {}
  axis = axis and check_axis("squeeze", self, axis)
  if axis and self.shape[axis + 1] ~= 1 then
    core.raise("squeeze: axis %d of shape %s has not size 1", axis, tostring(self.shape))
  end
  for i, size in ipairs(self.shape) do
    if axis and axis ~= i - 1 or not axis and size ~= 1 then shape[#shape + 1] = size end
  end
  return self:reshape(shape)
end

function Tensor:unsqueeze(axis)
  local n, shape = #self.shape, { unpack(self.shape) }
  if not is_whole(axis) or axis > n or axis < -n - 1 then
    core.raise("unsqueeze: no place %s for an axis in shape %s", tostring(axis), shape_text(shape))
  end
  table.insert(shape, axis < 0 and axis + n + 2 or axis + 1, 1)
  return self:reshape(shape)
end

-- t:expand(2, 3) or t:expand{2, 3}: a view that repeats axes of size 1 and adds axes in front (NumPy's broadcasting).
function Tensor:expand(...)
  local shape = check_shape("expand", type(...) == "table" and (...) or { ... })
  local dim, n = core.ints(shape)
  return tensor.wrap(C.ex_tensor_broadcast(self.handle, n, dim))
end

-- -- Copies -------------------------------------------------------------------------------------------------------

-- t:clone([dtype]) -> numbers of its own, row-major. t:dense() -> t itself if it is row-major already, else a clone.
function Tensor:clone(dtype)
  local copy = new(self.shape, dtype and check_dtype("clone", dtype) or self.dtype)
  core.check(C.ex_tensor_copy(copy.handle, self.handle))
  return copy
end

function Tensor:dense() return self:is_dense() and self or self:clone() end

-- t:to(dtype) -> t itself if it has that type, else a clone: towards zero and cut to the range for integer types.
function Tensor:to(dtype) return self.dtype == check_dtype("to", dtype) and self or self:clone(dtype) end

function Tensor:float() return self:to "float32" end

function Tensor:int() return self:to "int32" end

-- t:free(): gives the memory back now (if no view shares it) instead of at some later collection.
function Tensor:free()
  if rawget(self, "handle") == nil then return end
  core.release(self.handle, C.ex_tensor_free)
  rawset(self, "handle", nil)
end

-- -- The module ---------------------------------------------------------------------------------------------------

local words = { kind_of = kind_of, check_axis = check_axis, check_shape = check_shape, check_dtype = check_dtype, new = new }
require "exeunt.tensor_make"(tensor, words)
require "exeunt.tensor_math"(tensor, Tensor, words)

return setmetatable(tensor, {
  __call = from,
  __index = function(_, name)
    if type(name) == "string" and name:sub(1, 2) == "__" then return nil end
    missing("ex.tensor has no", name, options.sorted_keys(tensor))
  end,
})
