-- cli/help.lua: `exeunt help [COMMAND]`: the commands in a line each, or one command's own help.

local usage = require "exeunt.cli.usage"

local help = { about = "show this help, or a command's", usage = "[COMMAND]" }

-- A command and what it does; what is too long for the first column gets a line of its own.
local function line(command, about)
  return (#command > 34 and "  %s\n%37s%s" or "  %-34s %.0s%s"):format(command, "", about)
end

-- The overview. Commands: their names, in order.
function help.text(commands)
  local lines = {
    "Usage: exeunt COMMAND [argument ...]", "",
    "Trains, ensembles and prunes convolutional networks with several exits, as a Lua recipe says.", "",
    "Commands:",
  }
  for _, name in ipairs(commands) do
    local command = require("exeunt.cli." .. name)
    lines[#lines + 1] = line(name .. " " .. (command.usage or ""), command.about)
  end
  lines[#lines + 1] = line("--version", "print the version")
  lines[#lines + 1] = ""
  lines[#lines + 1] = "exeunt COMMAND --help says more. `exeunt` alone, on a terminal, is the prompt."
  return table.concat(lines, "\n") .. "\n"
end

function help.main(args, commands)
  local topic = args[1]
  if not topic or topic == "--help" or topic == "-h" then usage.done(help.text(commands)) end
  for _, name in ipairs(commands) do
    if name == topic and name ~= "help" then return require("exeunt.cli." .. name).main { "--help" } end
  end
  usage.fail("unknown command '%s'%s", topic, usage.suggest(topic, commands))
end

return help
