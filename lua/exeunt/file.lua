-- file.lua: files as runs and data need them, over the C functions of core/io/file.c, lock.c and digest.c.
-- Written files appear whole or not at all. Every function raises one line that names the path and the reason.
-- It does not know what files mean.

local core = require "exeunt.core"
local C, ffi = core.C, core.ffi

local file = {}

-- A path as C can take it: a string without the character 0.
local function path_of(path, where)
  if type(path) ~= "string" or path == "" or path:find("\0", 1, true) then
    core.raise("file.%s: expected a path, got %s", where, type(path) == "string" and ("%q"):format(path) or type(path))
  end
  return path
end

-- write(path, text): replaces the file atomically: temporary file beside it, flush, rename, flush of the folder.
function file.write(path, text)
  core.check(C.ex_file_write(path_of(path, "write"), text, #text))
end

-- append(path, text): adds text at the end, whole or not at all, and flushes it. Makes the file if need be.
function file.append(path, text)
  core.check(C.ex_file_append(path_of(path, "append"), text, #text))
end

-- link(target, path): path becomes a symbolic link to target (read from path's folder), replacing a file or link.
function file.link(target, path)
  core.check(C.ex_file_link(path_of(target, "link"), path_of(path, "link")))
end

-- real(path): the path of what a link leads to in the end, which need not be there; any other path as it is. Of folders that are
-- links it says nothing: a file beside this one has the same folder. Raises where links go round in a circle.
function file.real(path)
  local at = path_of(path, "real")
  for _ = 1, 40 do                          -- Linux follows as many
    local text = C.ex_file_target(at)
    if text == nil then return at end
    local target = ffi.string(text)
    C.ex_text_free(text)
    at = target:sub(1, 1) == "/" and target or at:match "^(.-)[^/]*$" .. target
  end
  core.raise("%s: its links go round in a circle", path)
end

-- shell_word(text): as one word of a shell's command line, for advice that is to be pasted.
function file.shell_word(text)
  return text:match "^[%w_./:@%%+=,-]+$" and text or "'" .. text:gsub("'", "'\\''") .. "'"
end

-- remove(path): removes a file or a link; raises if there is none.
function file.remove(path)
  core.check(C.ex_file_remove(path_of(path, "remove")))
end

local kinds = { [1] = "file", [2] = "folder", [3] = "other" }

-- kind(path): "file", "folder", "other", or nil where nothing is (or a link leads nowhere).
function file.kind(path)
  return kinds[C.ex_file_kind(path_of(path, "kind"))]
end

-- stat(path) -> its size in bytes, the time of its last change in seconds since 1970.
function file.stat(path)
  local numbers = ffi.new "double[2]"
  core.check(C.ex_file_stat(path_of(path, "stat"), numbers, numbers + 1))
  return numbers[0], numbers[1]
end

-- read(path): the whole text.
function file.read(path)
  if file.kind(path) == "folder" then core.raise("cannot read %s: it is a folder", path) end
  local handle, why = io.open(path, "rb")
  if not handle then core.raise("cannot read %s", why) end
  local text, problem = handle:read "*a"
  handle:close()
  if not text then core.raise("cannot read %s: %s", path, problem or "unknown error") end
  return text
end

-- make_folder(path): with its parents; a folder that is there already is fine.
function file.make_folder(path)
  core.check(C.ex_folder_make(path_of(path, "make_folder")))
end

-- list(path): the names in a folder, sorted by their bytes, without . and ..
function file.list(path)
  local text = C.ex_folder_list(path_of(path, "list"))
  if text == nil then core.raise("%s", core.message()) end
  local names = {}
  for name in ffi.string(text):gmatch "[^\n]+" do names[#names + 1] = name end
  C.ex_text_free(text)
  return names
end

-- sweep(folder): removes temporary files that killed processes left in it. Only for a folder that is locked.
function file.sweep(folder)
  for _, name in ipairs(file.list(folder)) do
    if name:find "^%..+%.%d+%.%d+%.tmp$" then file.remove(folder .. "/" .. name) end
  end
end

-- digest(path[, algorithm]): the hexadecimal "sha256" (default) or "md5" of a file's bytes.
function file.digest(path, algorithm)
  local hex = ffi.new "char[65]"
  core.check(C.ex_file_digest(path_of(path, "digest"), algorithm or "sha256", hex))
  return ffi.string(hex)
end

-- digest_text(text[, algorithm]): the same of a string.
function file.digest_text(text, algorithm)
  local hex = ffi.new "char[65]"
  core.check(C.ex_text_digest(text, #text, algorithm or "sha256", hex))
  return ffi.string(hex)
end

local Lock = {}
Lock.__index = Lock

-- lock(path): an exclusive lock on a file, which is made if need be and stays. Raises at once if another holds it.
-- It is let go by lock:free(), with the last reference to it, or with the process.
function file.lock(path)
  return setmetatable({ path = path, handle = core.own(C.ex_lock_take(path_of(path, "lock")), C.ex_lock_free) }, Lock)
end

-- lock_beside(path): the same for a file or a folder that need not be there: on the file .NAME.lock beside it.
function file.lock_beside(path)
  local folder, name = path_of(path, "lock_beside"):match "^(.-)([^/]*)$"
  return file.lock(("%s.%s.lock"):format(folder, name))
end

function Lock:free()
  if self.handle then core.release(self.handle, C.ex_lock_free) end
  self.handle = nil
end

function Lock:__tostring()
  return ("lock on %s%s"):format(self.path, self.handle and "" or " (let go)")
end

return file
