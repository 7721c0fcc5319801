-- libraries.lua: the libraries that the program is made of and their versions. libpq alone is loaded when it is asked for (a study
-- on a PostgreSQL server), and may be absent.

local core = require "exeunt.core"
local C, text = core.C, core.ffi.string

local libraries = {}

-- linked() -> list of { name, version }, sorted by name; "linked" or "compiled in" for the version of what says none.
function libraries.linked()
  return {
    { "BLIS", text(C.ex_blis_version()) }, { "glibc", text(C.ex_libc_version()) }, { "libedit", (require("exeunt.line").version) },
    { "libjpeg-turbo", text(C.ex_jpeg_version()) }, { "libmd", "linked" }, { "libyaml", require("exeunt.yaml").version },
    { "LuaJIT", (require("exeunt.system").luajit:gsub("^LuaJIT ", "")) }, { "Random123", "compiled in" },
    { "SQLite", text(C.ex_sqlite_version()) }, { "stb_image", "compiled in" }, { "zlib", text(C.ex_zlib_version()) },
  }
end

-- libpq() -> its version; or nil and one line that says why it cannot be loaded.
function libraries.libpq()
  local version = C.ex_libpq_version()
  if version == nil then return nil, core.message() end
  return text(version)
end

-- as_text() -> "BLIS 0.9.0, libjpeg-turbo 2.1.5, ..." of the linked ones that say a version.
function libraries.as_text()
  local out = {}
  for _, l in ipairs(libraries.linked()) do
    if l[2]:find "%d" then out[#out + 1] = l[1] .. " " .. l[2] end
  end
  return table.concat(out, ", ")
end

return libraries
