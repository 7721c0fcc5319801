-- core.lua: the one file that touches the FFI declarations. Declares the border (core/exeunt.h, whose text the binary
-- carries), turns a failed call into a Lua error, and wraps what C returns so that it is freed.
-- It knows nothing of tensors' arithmetic, networks or files: those are built on it.

local ffi = require "ffi"

ffi.cdef(require "exeunt.header")          -- preloaded by the program: the text of core/exeunt.h

local C = ffi.C
local core = { C = C, ffi = ffi }

-- An error whose text is for the user: no position in the engine's own files is put before it.
function core.raise(format, ...)
  error(select("#", ...) > 0 and format:format(...) or format, 0)
end

-- The message of the last failed call on this thread.
function core.message()
  return ffi.string(C.ex_error_message())
end

-- check(status): raises C's message unless the status is EX_OK.
function core.check(status)
  if status ~= C.EX_OK then error(core.message(), 0) end
end

-- index(i): passes an index from C through, raises on EX_NONE.
function core.index(i)
  if i == C.EX_NONE then error(core.message(), 0) end
  return i
end

-- Lua's collector sees a handle of a few bytes, not the megabytes behind it. So it is run when native memory has grown by
-- half, and at least by ROOM, above the least that it was since the last run.
local ROOM = 32e6
local limit = math.huge

local function allowed(held) return held + math.max(ROOM, held / 2) end

local function make_room()
  collectgarbage()
  limit = allowed(C.ex_memory_bytes())
end

-- own(pointer, free): the handle with its finaliser; raises on NULL. The one way in for handles.
function core.own(pointer, free)
  if pointer == nil then error(core.message(), 0) end
  local handle = ffi.gc(pointer, free)
  local held = C.ex_memory_bytes()
  if held > limit then make_room() else limit = math.min(limit, allowed(held)) end
  return handle
end

-- release(handle, free): frees now instead of at some later collection.
function core.release(handle, free)
  ffi.gc(handle, nil)
  free(handle)
end

-- ints(list): an int32_t array of a Lua list (at least one element, so that C never sees a dangling pointer).
function core.ints(list)
  local n = #list
  local array = ffi.new("int32_t[?]", math.max(n, 1))
  for i = 1, n do array[i - 1] = list[i] end
  return array, n
end

return core
