-- environment_test.lua: what a result says of the machine is what the engine uses.

local lu = require "luaunit"
local core = require "exeunt.core"
local environment = require "exeunt.environment"
local plan = require "exeunt.plan"
local command = dofile "tests/support/command.lua"

TestEnvironment = {}

function TestEnvironment.test_what_is_in_use()
  local e = environment()
  lu.assertEquals({ e.version, e.isa, e.cpu, e.threads, e.exact },
                  { core.ffi.string(core.C.ex_version()), core.ffi.string(core.C.ex_isa_name()), core.ffi.string(core.C.ex_cpu_model()),
                    plan.threads(), plan.exact() })
  lu.assertStrMatches(e.luajit, "LuaJIT .+")
  lu.assertStrMatches(e.libraries, "BLIS .*")
end

function TestEnvironment.test_it_follows_the_choice()
  local folder = command.folder()
  command.write(folder .. "/e.lua", 'print(require "exeunt.environment"().isa)')
  local said = command.shell(("EXEUNT_ISA=portable ${EXEUNT:-./exeunt} script %s/e.lua"):format(folder))
  command.remove(folder)
  lu.assertEquals({ said.code, said.out }, { 0, "portable\n" })
end

os.exit(lu.LuaUnit.run())
