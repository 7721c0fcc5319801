-- data/loader.lua: batches of a split, assembled ahead by a thread in C (core/io/loader.c): normalised, shifted and
-- mirrored where asked for. The same (seed, epoch, image) gives the same numbers.
--
--   local loader = split:loader { batch = 64, augment = { shift = 2, flip = true } }
--   loader:start(index, seed, epoch, first)         -- index: int32 (M) tensor of places in split.images; nil: the split's
--   for n in loader.next, loader do ... end         -- loader.images (batch, C, H, W), loader.labels (batch): first n rows

local core = require "exeunt.core"
local options = require "exeunt.options"
local tensor = require "exeunt.tensor"
local C, ffi = core.C, core.ffi

local Loader = {}
Loader.__index = Loader

-- augment_of(where, given) -> shift, flip, checked. given: nil or false for none, or { shift = pixels, flip = boolean }.
local function augment_of(where, given)
  if not given then return 0, false end
  local o = options.check(where .. ": augment", given, { shift = 0, flip = false })
  if type(o.shift) ~= "number" or o.shift < 0 or o.shift ~= math.floor(o.shift) or o.shift > 1000 then
    core.raise("%s: augment: shift: expected a whole number of pixels, got %s", where, tostring(o.shift))
  end
  if type(o.flip) ~= "boolean" then core.raise("%s: augment: flip: expected true or false, got %s", where, tostring(o.flip)) end
  return o.shift, o.flip
end

-- new(split, { batch, augment }): split: { images, labels, index, mean, std, augment }. Without `augment` the split's own
-- is taken; augment = false: none.
local function new(split, given)
  local o = options.check("loader", given, { batch = options.required, augment = options.optional })
  if type(o.batch) ~= "number" or o.batch < 1 or o.batch ~= math.floor(o.batch) or o.batch > 2 ^ 31 - 1 then
    core.raise("loader: batch: expected a whole number above 0, got %s", tostring(o.batch))
  end
  local augment = o.augment
  if augment == nil then augment = split.augment end
  local shift, flip = augment_of("loader", augment)
  local c = ffi.new "ex_loader_options"
  c.batch, c.shift, c.flip, c.channels = o.batch, shift, flip and 1 or 0, #split.mean
  for i = 1, #split.mean do c.mean[i - 1], c.deviation[i - 1] = split.mean[i], split.std[i] end
  local handle = core.own(C.ex_loader_new(split.images.handle, split.labels.handle, c), C.ex_loader_free)
  return setmetatable({ handle = handle, split = split, batch = o.batch, images = tensor.wrap(C.ex_loader_images(handle)),
                        labels = tensor.wrap(C.ex_loader_labels(handle)) }, Loader)
end

local function handle_of(self)
  return self.handle or core.raise("loader: it was freed")
end

-- start(index, seed, epoch, first): begins a pass at batch `first` (0: the start); one that runs is given up.
function Loader:start(index, seed, epoch, first)
  index = index or self.split.index
  core.check(C.ex_loader_start(handle_of(self), index.handle, seed or 0, epoch or 0, first or 0))
end

-- next(): fills images and labels with the next batch and gives how many rows it has; nil: the pass is over.
function Loader:next()
  local n = C.ex_loader_next(handle_of(self))
  if n < 0 then core.raise("%s", core.message()) end
  if n > 0 then return n end
end

-- wait(): seconds that next() has waited for the thread in this pass.
function Loader:wait()
  return C.ex_loader_wait(handle_of(self))
end

-- free(): ends the thread now; the two tensors live on.
function Loader:free()
  if self.handle then core.release(self.handle, C.ex_loader_free) end
  self.handle = nil
end

function Loader:__tostring()
  return ("loader of %s, batches of %d"):format(tostring(self.split), self.batch)
end

return { new = new, augment_of = augment_of }
