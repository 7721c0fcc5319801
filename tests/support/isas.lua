-- isas.lua: prints the instruction sets that this CPU can run, best first, for tests/check.
local core = require "exeunt.core"
print(core.ffi.string(core.C.ex_isa_available()))
