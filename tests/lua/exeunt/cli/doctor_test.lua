-- cli/doctor.lua: the report as text and as JSON.

local lu = require "luaunit"
local cjson = require "cjson"
local core = require "exeunt.core"
local command = dofile "tests/support/command.lua"

TestDoctor = {}

function TestDoctor.test_text()
  local result = command.run "doctor --threads 2"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  for _, text in ipairs { "machine", "chosen", "versions", "outside the program", core.ffi.string(core.C.ex_cpu_model()),
                          core.ffi.string(core.C.ex_isa_name()), "BLIS kernels", "libyaml", "libedit", "LuaJIT", "zlib",
                          "SQLite", "libjpeg-turbo", "libmd",
                          "Lua module cjson", "program gnuplot" } do
    lu.assertStrContains(result.out, text)
  end
  lu.assertStrMatches(result.out, ".*\nthreads +2\n.*")
end

function TestDoctor.test_json()
  local result = command.run "doctor --json"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  local doc = cjson.decode(result.out)
  lu.assertEquals(doc.chosen.isa, core.ffi.string(core.C.ex_isa_name()))
  lu.assertEquals(doc.chosen.exact, false)
  lu.assertEquals(doc.chosen.blis, core.ffi.string(core.C.ex_blis_kernels()))
  lu.assertEquals(doc.machine.cpus, core.C.ex_cpu_count())
  lu.assertEquals(doc.versions.exeunt, core.ffi.string(core.C.ex_version()))
  for _, name in ipairs { "BLIS", "SQLite", "zlib", "libjpeg-turbo", "glibc" } do lu.assertStrMatches(doc.versions[name], "%d+%.%d.*") end
  lu.assertTrue(#doc.parts >= 6)
  for _, part in ipairs(doc.parts) do lu.assertEquals(type(part.found), "boolean") end
end

function TestDoctor.test_exact()
  lu.assertStrContains(command.run("doctor").out, "by Winograd where that is faster")
  lu.assertStrContains(command.run("doctor --exact").out, "exact: direct kernels alone")
  local result = command.shell "EXEUNT_PASSES=-merge,-winograd ${EXEUNT:-./exeunt} doctor"
  lu.assertStrContains(result.out, "exact: direct kernels alone")
end

-- A table of a terminal's width: how to get a data set is said at length by `exeunt data`, and in JSON.
function TestDoctor.test_data_sets_are_brief()
  local result = command.shell "EXEUNT_DATA=/nonexistent HOME=/nonexistent XDG_DATA_HOME=/nonexistent ${EXEUNT:-./exeunt} doctor"
  lu.assertStrMatches(result.out, ".*\ndata set cifar%-10 +missing +recipes +exeunt data fetch cifar%-10\n.*")
  lu.assertStrMatches(result.out, ".*\ndata set mnist +missing +recipes +see exeunt data\n.*")
end

-- What is missing is named with the command that gets it; only what every command needs makes doctor fail.
function TestDoctor.test_what_is_missing()
  local folder = command.folder()
  command.write(folder .. "/libpq.so.5", "not a library")
  local doctor = command.shell(("LD_LIBRARY_PATH='%s' ${EXEUNT:-./exeunt} doctor"):format(folder))
  lu.assertEquals({ doctor.code, doctor.err }, { 0, "" })
  lu.assertStrMatches(doctor.out, ".*\nlibpq +not found\n.*")
  lu.assertStrMatches(doctor.out, ".*\nlibrary libpq +missing +studies on a PostgreSQL server +apt%-get install libpq5\n.*")
  command.write(folder .. "/luaunit.lua", "error 'not here'")
  local result = command.shell(("LUA_PATH='%s/?.lua;;' ${EXEUNT:-./exeunt} doctor"):format(folder))
  lu.assertEquals(result.code, 0)
  lu.assertStrContains(result.out, "apt-get install lua-unit")
  command.write(folder .. "/inspect.lua", "error 'not here'")
  result = command.shell(("LUA_PATH='%s/?.lua;;' ${EXEUNT:-./exeunt} doctor"):format(folder))
  lu.assertEquals(result.code, 1)
  lu.assertStrContains(result.out, "apt-get install lua-inspect")
  command.remove(folder)
end

os.exit(lu.LuaUnit.run())
