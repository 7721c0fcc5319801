-- data/split.lua: which images are for training, for validation, for the test. A split is a list of places in a set of
-- images; it holds no copy of them. The validation images are taken from the training files by a permutation that
-- depends on the seed alone (stream "split"): first what trains, at the end what validates, so that neither limit
-- changes which images validate.

local core = require "exeunt.core"
local loader = require "exeunt.data.loader"
local tensor = require "exeunt.tensor"
local C = core.C

local split = {}

local Split = {}
Split.__index = Split

-- loader({ batch, augment }): see data/loader.lua.
function Split:loader(options) return loader.new(self, options) end

function Split:__tostring() return ("%s split of %s, %d images"):format(self.name, self.set, self.count) end

local function permutation(count, seed, stream)
  local t = tensor.wrap(C.ex_tensor_new(C.EX_INT32, 1, (core.ints { count })))
  core.check(C.ex_tensor_permutation(t.handle, seed, stream))
  return t
end

local function part(t, start, count) return tensor.wrap(C.ex_tensor_slice(t.handle, 0, start, count, 1)) end

-- divide(count, { validation, train_limit, seed }) -> train, validation: int32 tensors of places in the training files.
function split.divide(count, o)
  if o.validation >= count then
    core.raise("data.open: validation is %d, the training files hold %d images", o.validation, count)
  end
  local order, rest = permutation(count, o.seed, "split"), count - o.validation
  return part(order, 0, math.min(o.train_limit or rest, rest)), part(order, rest, o.validation)
end

-- test(count, { test_limit, seed }): the places in the test files: all in their order, or a drawn part (stream "split.test").
function split.test(count, o)
  if o.test_limit and o.test_limit < count then
    return part(permutation(count, o.seed, "split.test"), 0, o.test_limit)
  end
  local all = tensor.wrap(C.ex_tensor_new(C.EX_INT32, 1, (core.ints { count })))
  local info = core.ffi.new "ex_tensor_info"
  C.ex_tensor_describe(all.handle, info)
  local place = core.ffi.cast("int32_t *", info.data)
  for i = 0, count - 1 do place[i] = i end
  return all
end

-- new(fields): { name, set, images, labels, index, mean, std, augment } -> Split, with its count.
function split.new(fields)
  fields.count = fields.index.shape[1]
  return setmetatable(fields, Split)
end

return split
