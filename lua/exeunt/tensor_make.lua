-- tensor_make.lua: tensors made by rule (zeros, ranges, random numbers) or joined from others. It gives ex.tensor its
-- functions; nested lists become tensors in tensor.lua. `words` are that file's checks, and its `new`.
--
--   ex.tensor.zeros(2, 3)   ex.tensor.zeros({ 2, 3 }, "int32")   ex.tensor.normal({ 2, 3 }, 0, 0.1, { seed = 7, stream = "w" })

local core = require "exeunt.core"
local options = require "exeunt.options"
local Seed = require "exeunt.seed"
local C = core.C

return function(tensor, words)
  local new, kind_of = words.new, words.kind_of
  local check_shape, check_dtype, check_axis = words.check_shape, words.check_dtype, words.check_axis

  -- A shape given as a list or as numbers, then a type: zeros({2, 3}, "int32") or zeros(2, 3, "int32").
  local function shape_and_dtype(where, first, ...)
    if type(first) == "table" then return check_shape(where, first), check_dtype(where, (...)) end
    local list, given = {}, { first, ... }
    while type(given[#list + 1]) == "number" do list[#list + 1] = given[#list + 1] end
    if first ~= nil and #list == 0 then core.raise("%s: a shape is a list of sizes, got %s", where, kind_of(first)) end
    return check_shape(where, list), check_dtype(where, given[#list + 1])
  end

  -- -- By rule -------------------------------------------------------------------------------------------------

  -- zeros(shape[, dtype]), zeros(2, 3[, dtype]) -> zeros. ones, empty: likewise (empty promises no numbers).
  function tensor.zeros(...) return new(shape_and_dtype("tensor.zeros", ...)) end

  function tensor.empty(...) return new(shape_and_dtype("tensor.empty", ...)) end

  function tensor.ones(...) return new(shape_and_dtype("tensor.ones", ...)):fill_(1) end

  -- zeros_like(t), ones_like(t): in the shape and type of t.
  function tensor.zeros_like(t) return new(t.shape, t.dtype) end

  function tensor.ones_like(t) return new(t.shape, t.dtype):fill_(1) end

  -- full(shape, value[, dtype]) -> one number everywhere.
  function tensor.full(shape, value, dtype)
    return new(check_shape("tensor.full", shape), check_dtype("tensor.full", dtype)):fill_(value)
  end

  -- arange(n), arange(first, past[, step]): as in PyTorch, `past` is not reached. float32; a last argument names another type.
  function tensor.arange(...)
    local given = { ... }
    local dtype = check_dtype("tensor.arange", type(given[#given]) == "string" and table.remove(given) or nil)
    local first, past, step = given[1], given[2], given[3] or 1
    if past == nil then first, past = 0, first end
    if type(first) ~= "number" or type(past) ~= "number" or type(step) ~= "number" or step == 0 then
      core.raise("tensor.arange: takes n, or first, past and a step that is not 0")
    end
    local n = math.max(0, math.ceil((past - first) / step))
    local t = new(check_shape("tensor.arange", { n }), dtype)
    local data = t:data()
    for i = 0, n - 1 do data[i] = first + i * step end
    return t
  end

  -- linspace(first, last, n): n numbers at equal distances, both ends included.
  function tensor.linspace(first, last, n)
    local t = new(check_shape("tensor.linspace", { n }), "float32")
    local data = t:data()
    for i = 0, n - 1 do data[i] = first + (last - first) * (n > 1 and i / (n - 1) or 0) end
    return t
  end

  -- eye(n): ones on the diagonal of (n, n).
  function tensor.eye(n)
    local t = new(check_shape("tensor.eye", { n, n }), "float32")
    local data = t:data()
    for i = 0, n - 1 do data[i * n + i] = 1 end
    return t
  end

  -- permutation(n) -> int32 (n): 0 .. n-1 shuffled. { seed, stream }: as for uniform_.
  function tensor.permutation(n, given)
    local t = new(check_shape("tensor.permutation", { n }), "int32")
    local o = options.check("tensor.permutation", given, { seed = options.optional, stream = options.optional })
    core.check(C.ex_tensor_permutation(t.handle, o.seed or Seed(), o.stream or Seed.next()))
    return t
  end

  -- uniform(shape[, low, high, { seed, stream }]) in [0, 1) by default; normal(shape[, mean, deviation, { seed, stream }]).
  -- rand(2, 3) and randn(2, 3): the same with the sizes as numbers.
  function tensor.uniform(shape, low, high, given)
    return new(check_shape("tensor.uniform", shape), "float32"):uniform_(low, high, given)
  end

  function tensor.normal(shape, mean, deviation, given)
    return new(check_shape("tensor.normal", shape), "float32"):normal_(mean, deviation, given)
  end

  function tensor.rand(...) return new(shape_and_dtype("tensor.rand", ...)):uniform_() end

  function tensor.randn(...) return new(shape_and_dtype("tensor.randn", ...)):normal_() end

  -- -- Joining ------------------------------------------------------------------------------------------------------

  local function check_list(where, list)
    if type(list) ~= "table" or #list == 0 then core.raise("%s: takes a list of tensors, got %s", where, kind_of(list)) end
    for i, t in ipairs(list) do
      if not tensor.is(t) then core.raise("%s: element %d is %s, not a tensor", where, i, kind_of(t)) end
    end
  end

  -- concat(list[, axis]) -> tensors one after the other along an axis (0 unless told), which alone may differ in size.
  function tensor.concat(list, axis)
    check_list("tensor.concat", list)
    local shape, total = { unpack(list[1].shape) }, 0
    axis = check_axis("tensor.concat", list[1], axis or 0)
    for i, t in ipairs(list) do
      local fits = #t.shape == #shape
      for k = 1, #shape do fits = fits and (k == axis + 1 or t.shape[k] == shape[k]) end
      if not fits then
        core.raise("tensor.concat: element %d has shape %s, the first %s: they may differ in axis %d only", i,
                   tostring(t.shape), tostring(list[1].shape), axis)
      end
      total = total + t.shape[axis + 1]
    end
    shape[axis + 1] = total
    local out, at = new(check_shape("tensor.concat", shape), list[1].dtype), 0
    for _, t in ipairs(list) do
      out:narrow(axis, at, t.shape[axis + 1]):copy_(t)
      at = at + t.shape[axis + 1]
    end
    return out
  end

  -- stack(list[, axis]) -> tensors of one shape side by side along a new axis (0 unless told).
  function tensor.stack(list, axis)
    check_list("tensor.stack", list)
    local with = {}
    for i, t in ipairs(list) do with[i] = t:unsqueeze(axis or 0) end
    return tensor.concat(with, axis or 0)
  end
end
