-- tensor_math.lua: what computes on tensors: arithmetic, comparisons, products, reductions. Each is an operator of the
-- engine run by eager.lua; integer tensors are taken as float32, and results are float32 (argmax: int32).
-- What is left without axes comes back as a number. It gives every method to the class that tensor.lua makes;
-- `words` are that file's checks and what it says in messages.

local core = require "exeunt.core"
local options = require "exeunt.options"
local eager = require "exeunt.eager"
local ffi = core.ffi

return function(tensor, Tensor, words)
  -- An operand of a binary operator, in float32: a tensor, a number, or a list of numbers.
  local function operand(op, x)
    if tensor.is(x) then return x:float() end
    if type(x) == "table" then return tensor(x) end
    if type(x) == "boolean" then x = x and 1 or 0 end
    if type(x) ~= "number" then core.raise("%s: takes tensors and numbers, got %s", op, words.kind_of(x)) end
    return tensor.full({}, x)
  end

  -- A tensor without axes becomes its number.
  local function result(t)
    if #t.shape > 0 then return t end
    local number = t:get()
    t:free()
    return number
  end

  local function binary(op)
    return function(a, b) return result(eager.run(op, { operand(op, a), operand(op, b) })) end
  end

  -- -- Arithmetic: a + b, a:add(b), and a:add_(b), which writes into a -------------------------------------------

  for _, name in ipairs { "add", "sub", "mul", "div", "pow" } do
    Tensor[name] = binary(name)
    Tensor["__" .. name] = Tensor[name]
    Tensor[name .. "_"] = function(a, b) return a:copy_(eager.run(name, { operand(name, a), operand(name, b) })) end
  end

  -- Larger and smaller of two, by NumPy's broadcasting as all of these.
  Tensor.maximum, Tensor.minimum = binary "maximum", binary "minimum"

  -- t:clamp(low, high): either may be nil.
  function Tensor:clamp(low, high)
    local t = self
    if low then t = t:maximum(low) end
    if high then t = t:minimum(high) end
    return t == self and self:clone "float32" or t
  end

  -- -- Comparisons: 1 where they hold, else 0 -----------------------------------------------------------------------

  Tensor.eq, Tensor.lt, Tensor.le = binary "equal", binary "less", binary "less_equal"
  function Tensor.ne(a, b) return 1 - Tensor.eq(a, b) end
  function Tensor.gt(a, b) return Tensor.lt(b, a) end
  function Tensor.ge(a, b) return Tensor.le(b, a) end

  local function no_comparison() core.raise("tensors are compared by a:lt(b), a:le(b), a:gt(b), a:ge(b) and a:eq(b)") end
  Tensor.__lt, Tensor.__le = no_comparison, no_comparison
  function Tensor.__concat(a, b)
    return (tensor.is(a) and tostring(a) or a) .. (tensor.is(b) and tostring(b) or b)
  end

  -- -- One number at a time ------------------------------------------------------------------------------------------

  for _, name in ipairs { "neg", "exp", "log", "sqrt", "abs", "tanh", "sigmoid", "square", "relu" } do
    Tensor[name] = function(t) return eager.run(name, { t:float() }) end
  end
  Tensor.__unm = Tensor.neg

  -- -- Products ----------------------------------------------------------------------------------------------------

  -- a:matmul(b), as torch.matmul for one and two axes: (m, k) x (k, n), (k) x (k), (m, k) x (k), (k) x (k, n).
  function Tensor:matmul(other)
    if not tensor.is(other) then core.raise("matmul: takes two tensors, got %s", words.kind_of(other)) end
    return result(eager.run("matmul", { self:float(), other:float() }))
  end
  Tensor.dot = Tensor.matmul

  -- -- Over axes -----------------------------------------------------------------------------------------------------

  -- Axes of softmax and the like: the operators work on the last.
  local function over_axis(op)
    return function(t, axis)
      local n = #t.shape
      axis = words.check_axis(op, t, axis or -1)
      if axis == n - 1 then return eager.run(op, { t:float() }) end
      return eager.run(op, { t:transpose(axis, n - 1):float() }):transpose(axis, n - 1):dense()
    end
  end
  -- t:softmax([axis]), t:log_softmax([axis]): over the last axis unless told.
  Tensor.softmax, Tensor.log_softmax = over_axis "softmax", over_axis "log_softmax"

  -- Arguments of a reduction: axes as numbers or a list, then { keepdim = true }; none: all axes.
  local function axes_of(op, t, ...)
    local given, axes, keepdim = { ... }, {}, false
    local last = given[#given]
    if type(last) == "table" and (next(last) == nil or type(next(last)) == "string") then
      keepdim = options.check(op, table.remove(given), { keepdim = false }).keepdim
    end
    if type(last) == "boolean" then core.raise("%s: keepdim is named: t:%s(axis, { keepdim = %s })", op, op, tostring(last)) end
    if type(given[1]) == "table" then given = given[1] end
    for i, axis in ipairs(given) do axes[i] = words.check_axis(op, t, axis) end
    return axes, keepdim
  end

  -- t:sum([axes][, { keepdim = true }]): t:sum() is a number, t:sum(0) a tensor without axis 0, t:sum(0, 2) and t:sum{0, 2}
  -- without both. mean, max, min: likewise.
  for _, name in ipairs { "sum", "mean", "max", "min" } do
    Tensor[name] = function(t, ...)
      local axes, keepdim = axes_of(name, t, ...)
      local attrs = { keepdim = keepdim }
      if #axes > 0 then attrs.axes = axes end
      return result(eager.run(name, { t:float() }, attrs))
    end
  end

  -- t:var([axes]): mean squared distance from the mean, over n - 1 as in PyTorch. t:std([axes]): its root.
  function Tensor:var(...)
    local axes, keepdim = axes_of("var", self, ...)
    if #axes == 0 then
      for i = 1, #self.shape do axes[i] = i - 1 end
    end
    local n = 1
    for _, axis in ipairs(axes) do n = n * self.shape[axis + 1] end
    local distance = self:float() - self:mean(axes, { keepdim = true })
    return distance:square():sum(axes, { keepdim = keepdim }) / (n - 1)
  end

  function Tensor:std(...)
    local variance = self:var(...)
    return type(variance) == "number" and math.sqrt(variance) or variance:sqrt()
  end

  -- t:argmax([axis][, { keepdim = true }]) -> int32: where the largest stands, counted from 0 as labels are. Without an axis:
  -- a number, the place in row-major order.
  function Tensor:argmax(...)
    local axes, keepdim = axes_of("argmax", self, ...)
    if #axes > 1 then core.raise("argmax: takes one axis, got %d", #axes) end
    if #axes == 1 then return result(eager.run("argmax", { self:float() }, { axis = axes[1], keepdim = keepdim })) end
    return result(eager.run("argmax", { self:float():flatten() }, { axis = 0 }))
  end

  -- -- Whole tensors ----------------------------------------------------------------------------------------------------

  local function same_shape(a, b) return tensor.is(b) and a.shape == b.shape end

  -- a:equal(b) -> whether b has the same shape and the same numbers (NaN equals nothing).
  function Tensor:equal(other)
    if not same_shape(self, other) then return false end
    local a, b = self:dense(), other:dense()
    local p, q = a:data(), b:data()
    for i = 0, self:count() - 1 do
      if p[i] ~= q[i] then return false end
    end
    return a ~= nil and b ~= nil
  end

  -- a:allclose(b[, relative = 1e-5[, absolute = 1e-8]]) -> |a - b| <= absolute + relative |b| everywhere, in one shape.
  function Tensor:allclose(other, relative, absolute)
    if not same_shape(self, other) then return false end
    relative, absolute = relative or 1e-5, absolute or 1e-8
    local a, b = self:dense(), other:dense()
    local p, q = a:data(), b:data()
    for i = 0, self:count() - 1 do
      local near = math.abs(p[i] - q[i]) <= absolute + relative * math.abs(q[i])     -- false where either is NaN
      if p[i] ~= q[i] and not near then return false end
    end
    return a ~= nil and b ~= nil
  end

  -- t:digest() -> the hexadecimal sha256 of its numbers' bytes, row-major.
  function Tensor:digest()
    local dense, hex = self:dense(), ffi.new "char[65]"
    local bytes = ffi.cast("const char *", dense:data())
    core.check(core.C.ex_text_digest(bytes, dense:count() * (dense.dtype == "uint8" and 1 or 4), "sha256", hex))
    return dense and ffi.string(hex)
  end

  -- a:same_bits(b) -> whether shape, type and every bit agree (NaN too).
  function Tensor:same_bits(other)
    if not same_shape(self, other) or self.dtype ~= other.dtype then return false end
    local a, b = self:dense(), other:dense()
    local bytes = self:count() * (self.dtype == "uint8" and 1 or 4)
    return ffi.string(a:data(), bytes) == ffi.string(b:data(), bytes)
  end
end
