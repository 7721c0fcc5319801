-- environment.lua: what results depend on besides recipe, knobs and seed: the engine's version, its libraries, the CPU, the kernels
-- and the threads in use. It goes into a run's document and beside each finished cell of a grid.

local core = require "exeunt.core"
local libraries = require "exeunt.libraries"
local plan = require "exeunt.plan"
local system = require "exeunt.system"

local C, text = core.C, core.ffi.string

-- environment() -> { version, luajit, libraries, cpu, isa, threads, exact }: texts, but for the count of threads and whether
-- convolutions are exact (--exact).
return function()
  return { version = text(C.ex_version()), luajit = system.luajit, libraries = libraries.as_text(), cpu = text(C.ex_cpu_model()),
           isa = text(C.ex_isa_name()), threads = plan.threads(), exact = plan.exact() }
end
