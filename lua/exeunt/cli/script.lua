-- cli/script.lua: `exeunt script FILE [argument ...]` runs a Lua file inside the engine, as tests and tools do.
-- The script sees its arguments as `arg` and `...`; a number that it returns is the exit code.

local usage = require "exeunt.cli.usage"

local script = { about = "run a Lua file inside the engine", usage = "FILE [argument ...]" }

local help = [[
Usage: exeunt script FILE [argument ...]

Runs a Lua file inside the engine. The file sees its arguments as `arg` and `...`.
]]

function script.main(args)
  local file = args[1]
  if file == "--debug" then return script.main { unpack(args, 2) } end
  if file == "--help" or file == "-h" then usage.done(help) end
  if not file then usage.fail("script: a file is missing; see exeunt script --help") end
  local chunk, message = loadfile(file)
  if not chunk then error(message, 0) end
  local rest = { unpack(args, 2) }
  _G.arg = { [0] = file, unpack(rest) }
  local code = chunk(unpack(rest))
  return type(code) == "number" and code or 0
end

return script
