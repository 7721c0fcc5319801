-- libraries_test.lua: every library that the program links is listed, and those that can say their version do.

local lu = require "luaunit"
local libraries = require "exeunt.libraries"
local command = dofile "tests/support/command.lua"

TestLibraries = {}

function TestLibraries.test_versions()
  local before = ""
  for _, l in ipairs(libraries.linked()) do
    lu.assertTrue(l[1]:lower() > before)
    before = l[1]:lower()
    if l[2] ~= "linked" and l[2] ~= "compiled in" then lu.assertStrMatches(l[2], "%d+%.%d[%w%.%-]*") end
  end
  lu.assertStrMatches(libraries.as_text(), "BLIS [%d.]+, glibc [%d.]+, .*, zlib [%d.]+")
  lu.assertNil(libraries.as_text():find "compiled in")
end

-- What the system's loader finds for the program is in the list, under the name that its file has.
function TestLibraries.test_all_that_is_linked()
  local known = { luajit = "LuaJIT", yaml = "libyaml", jpeg = "libjpeg-turbo", z = "zlib", edit = "libedit", md = "libmd",
                  sqlite = "SQLite", c = "glibc", m = "glibc", dl = "glibc", pthread = "glibc" }
  local listed, seen = {}, 0
  for _, l in ipairs(libraries.linked()) do listed[l[1]] = true end
  for name in command.shell("readelf -d ${EXEUNT:-./exeunt} | grep NEEDED").out:gmatch "%[lib(.-)%-?[%d.]*%.so" do
    seen = seen + 1
    if not name:find "san$" and name ~= "gcc_s" then lu.assertNotNil(listed[known[name] or name], name) end
  end
  lu.assertTrue(seen > 5 or command.shell("command -v readelf").code ~= 0)
end

function TestLibraries.test_libpq_may_be_absent()
  local version, why = libraries.libpq()
  if version then lu.assertStrMatches(version, "%d+%.%d+")
  else lu.assertStrContains(why, "apt-get install libpq5") end
end

os.exit(lu.LuaUnit.run())
