-- leaf.lua: tensors that live outside every plan (parameters, statistics, optimiser state), in the memory order that plans
-- read without conversion: a weight (out, in, kH, kW) is kept as kH, kW, in, out; everything else is row-major. What a
-- person sees, saves or slices is the logical order. It knows no graph and no names.

local core = require "exeunt.core"
local tensor = require "exeunt.tensor"
local C = core.C

local leaf = {}

local WEIGHT = core.ints { 2, 3, 1, 0 }    -- axes of a convolution's weight, outermost in memory first

-- new(shape): zeros, float32.
function leaf.new(shape)
  local dim, n = core.ints(shape)
  if n == 4 then return tensor.wrap(C.ex_tensor_new_ordered(C.EX_FLOAT32, n, dim, WEIGHT)) end
  return tensor.wrap(C.ex_tensor_new(C.EX_FLOAT32, n, dim))
end

-- copy(t): a leaf of its own with the numbers of t.
function leaf.copy(t)
  return leaf.new(t.shape):copy_(t)
end

-- full(shape, value): a leaf filled with one number.
function leaf.full(shape, value)
  return leaf.new(shape):fill_(value)
end

-- uniform(shape, bound, seed, stream): numbers in [-bound, bound), which depend on seed and stream name alone.
function leaf.uniform(shape, bound, seed, stream)
  return leaf.new(shape):uniform_(-bound, bound, { seed = seed, stream = stream })
end

-- normal(shape, deviation, seed, stream): normal numbers about 0, which depend on seed and stream name alone.
function leaf.normal(shape, deviation, seed, stream)
  return leaf.new(shape):normal_(0, deviation, { seed = seed, stream = stream })
end

return leaf
