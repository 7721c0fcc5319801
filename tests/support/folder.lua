-- folder.lua: temporary folders for tests, in TMPDIR. tests/run gives each test a TMPDIR of its own and fails it where it
-- leaves anything there.

local ffi = require "ffi"

local folder = {}

ffi.cdef "char *mkdtemp(char *template);"

-- make(): the path of a new, empty folder; remove it with folder.remove.
function folder.make()
  local template = (os.getenv "TMPDIR" or "/tmp") .. "/exeunt-test-XXXXXX"
  local path = ffi.new("char[?]", #template + 1, template)
  assert(ffi.C.mkdtemp(path) ~= nil, "no temporary folder")
  return ffi.string(path)
end

-- remove(path): the folder with all that is in it.
function folder.remove(path)
  assert(path:find("exeunt-test-", 1, true))
  os.execute(("rm -rf '%s'"):format(path))
end

return folder
