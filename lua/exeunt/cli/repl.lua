-- cli/repl.lua: `exeunt repl`: the prompt on a terminal; without one, a filter that runs the Lua lines it reads.

local usage = require "exeunt.cli.usage"

local command = { about = "a Lua prompt with the engine at hand", usage = "" }

function command.main(args)
  local parser = usage.parser("repl", "A Lua prompt with the engine at hand as `ex`. Without a terminal, runs what it reads.")
  usage.threads(parser)
  usage.exact(parser)
  local given = usage.parse("repl", parser, args)
  usage.use_threads(given.threads)
  usage.use_exact(given.exact)
  local interactive = require("exeunt.system").tty(0) and require("exeunt.system").tty(1)
  return require("exeunt.repl").run { interactive = interactive, debug = given.debug }
end

return command
