-- safetensors.lua: files of named tensors with strings beside them. C checks and moves the bytes (core/io/safetensors.c,
-- safetensors_write.c); this gives them Lua's form. What the names and strings mean is for others to know.
--
--   safetensors.write("x.safetensors", { w = tensor, b = tensor }, { note = "text" })
--   local file = safetensors.open "x.safetensors"      -- checked whole; tensors are read when asked for
--   file.names, file.metadata.note, file:read "w"
--   local all = safetensors.read "x.safetensors"       -- all.tensors.w, all.metadata.note

local core = require "exeunt.core"
local options = require "exeunt.options"
local tensor = require "exeunt.tensor"
local C, ffi = core.C, core.ffi

local safetensors = {}

-- -- Reading -------------------------------------------------------------------------------------------------

local File = {}
File.__index = File

-- A list of the sizes of the file's tensor number i, from 0.
local function shape_of(handle, i)
  local dim, shape = ffi.new("int32_t[?]", C.EX_MAX_DIMS), {}
  for k = 1, core.index(C.ex_safetensors_shape(handle, i, dim)) do shape[k] = dim[k - 1] end
  return shape
end

-- open(path) -> File { path, names (in the file's order), types ("F32", "I64", ... by name), shapes (lists by name),
-- metadata (strings by key) }. Raises one line for a file that is missing, truncated, foreign or against the format.
function safetensors.open(path)
  if type(path) ~= "string" then core.raise("safetensors.open: expected a path, got %s", type(path)) end
  local handle = core.own(C.ex_safetensors_open(path), C.ex_safetensors_free)
  local self = setmetatable({ path = path, handle = handle, names = {}, types = {}, shapes = {}, metadata = {}, index = {} }, File)
  for i = 0, C.ex_safetensors_count(handle) - 1 do
    local name = ffi.string(C.ex_safetensors_name(handle, i))
    self.names[i + 1], self.index[name] = name, i
    self.types[name], self.shapes[name] = ffi.string(C.ex_safetensors_type(handle, i)), shape_of(handle, i)
  end
  for i = 0, C.ex_safetensors_metadata_count(handle) - 1 do
    local key = C.ex_safetensors_metadata_key(handle, i)
    self.metadata[ffi.string(key)] = ffi.string(C.ex_safetensors_metadata(handle, key))
  end
  return self
end

-- file:read(name): a new dense tensor: F32, I32 and U8 as they are, F16 and BF16 as float32; other types are refused.
function File:read(name)
  local i = self.index[name]
  if not self.handle then core.raise("%s: the file was closed", self.path) end
  if not i then core.raise("%s: no tensor '%s'%s", self.path, tostring(name), options.suggest(name, self.names)) end
  return tensor.wrap(C.ex_safetensors_read(self.handle, i))
end

function File:free()
  if self.handle then core.release(self.handle, C.ex_safetensors_free) end
  self.handle = nil
end

function File:__tostring()
  return ("%s: %d tensors"):format(self.path, #self.names)
end

-- read(path) -> { path, names, metadata, tensors (by name) }: all of a file.
function safetensors.read(path)
  local file = safetensors.open(path)
  local all = { path = path, names = file.names, metadata = file.metadata, tensors = {} }
  for _, name in ipairs(file.names) do all.tensors[name] = file:read(name) end
  file:free()
  return all
end

-- -- Writing -------------------------------------------------------------------------------------------------

-- { { name, tensor }, ... } or { name = tensor, ... } as two lists.
local function lists(tensors)
  local names, values = {}, {}
  for key, value in pairs(tensors) do
    local listed = type(key) == "number"
    local name, t = listed and value[1] or key, value
    if listed then t = value[2] end
    if type(name) ~= "string" or not tensor.is(t) then
      core.raise("safetensors.write: expected names and tensors, got %s = %s", tostring(name), type(t))
    end
    names[#names + 1], values[#values + 1] = name, t
  end
  return names, values
end

-- A C array of the strings of a list, which must outlive it.
local function strings(list, what)
  for _, s in ipairs(list) do
    if type(s) ~= "string" or s:find("\0", 1, true) then
      core.raise("safetensors.write: %s must be strings without the character 0, got %s", what, type(s))
    end
  end
  return ffi.new("const char *[?]", math.max(#list, 1), list)
end

-- write(path, tensors[, metadata]): replaces the file atomically. `tensors`: by name, or a list of { name, tensor }; of
-- any strides, saved row-major. `metadata`: strings by key. The same tensors and strings give the same bytes.
function safetensors.write(path, tensors, metadata)
  if type(path) ~= "string" then core.raise("safetensors.write: expected a path, got %s", type(path)) end
  local names, values = lists(tensors)
  local keys, texts = {}, {}
  for key, text in pairs(metadata or {}) do keys[#keys + 1], texts[#texts + 1] = key, text end
  local handles = ffi.new("ex_tensor *[?]", math.max(#values, 1))
  for i, t in ipairs(values) do handles[i - 1] = t.handle end
  core.check(C.ex_safetensors_write(path, #names, strings(names, "names"), handles, #keys, strings(keys, "metadata keys"),
                                    strings(texts, "metadata")))
end

return safetensors
