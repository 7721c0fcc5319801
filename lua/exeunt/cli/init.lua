-- cli/init.lua: the command line. Takes the arguments, finds the command, and is the one place where an error ends:
-- one line on standard error, an exit code, a traceback only with --debug. Each command is a file of this folder that
-- returns { about = one line, main = function(args) -> exit code or nil }. It knows nothing of what commands do.
--
-- Exit codes: 0, 1 (failed), 2 (usage), 130 (interrupted), 143 (terminated).

local usage = require "exeunt.cli.usage"

local commands = {                          -- in the order of the help
  "run", "search", "worker", "studies", "trials", "best", "importance", "study", "ask", "tell", "report",
  "repl", "plan", "doctor", "data", "weights", "script", "help",
}

-- An error's text in one line. Where a module was looked for is only for a traceback.
local function one_line(message)
  return ((message:match "^(.-module '.-' not found):\n" or message):gsub("\n%s*", " "))
end

-- The exit code of an error, after its one line is printed. Errors are strings, or what usage.lua makes.
local function report(err, debug_wanted, trace)
  local progress = package.loaded["exeunt.report.progress"]
  if progress then progress.clear() end
  if type(err) == "table" and err.code then
    if err.text then io.stdout:write(err.text) end
    if err.message then io.stderr:write("exeunt: ", err.message, "\n") end
    return err.code
  end
  local message = type(err) == "table" and err.message or tostring(err)
  local signal = require("exeunt.signals").requested()
  if signal then                            -- whatever the error says, the signal made it
    io.stderr:write(signal == "SIGTERM" and "exeunt: terminated\n" or "exeunt: interrupted\n")
    return signal == "SIGTERM" and 143 or 130
  end
  io.stderr:write("exeunt: ", one_line(message), "\n")
  if debug_wanted and trace then io.stderr:write(trace, "\n") end
  return 1
end

-- Calls a command's main(args); gives the exit code.
local function call(main, args, debug_wanted)
  local trace
  local ok, result = xpcall(function() return main(args) end, function(err)
    trace = debug.traceback("", 2):sub(2)
    return err
  end)
  if ok then return result or 0 end
  return report(result, debug_wanted, trace)
end

local function print_version()
  local core = require "exeunt.core"
  print("exeunt " .. core.ffi.string(core.C.ex_version()))
end

-- A kernel set that is asked for and cannot be had is refused before anything is computed by another.
local function check_kernels()
  local core = require "exeunt.core"
  if core.C.ex_isa_select(nil) ~= core.C.EX_OK then usage.fail("%s", core.message()) end
end

-- Without a command: a prompt on a terminal, otherwise the help, as a failure.
local function no_command()
  local system = require "exeunt.system"
  if system.tty(0) and system.tty(1) then
    check_kernels()
    return require("exeunt.cli.repl").main({})
  end
  io.stderr:write(require("exeunt.cli.help").text(commands))
  return 2
end

local function dispatch(args)
  local first = args[1]
  if not first then return no_command() end
  if first == "--version" or first == "-V" then return print_version() end
  if first == "--help" or first == "-h" then first = "help" end
  local rest = { unpack(args, 2) }
  for _, name in ipairs(commands) do
    if name == first then
      if name ~= "help" then check_kernels() end
      return require("exeunt.cli." .. name).main(rest, commands)
    end
  end
  if first:sub(1, 1) == "-" then
    usage.fail("unknown option '%s'%s", first, usage.suggest(first, { "--help", "--version", "--debug" }, "; see exeunt --help"))
  end
  usage.fail("unknown command '%s'%s", first, usage.suggest(first, commands, "; see exeunt --help"))
end

-- --debug counts wherever it stands before a script's own arguments.
local function wants_debug(args)
  for i, arg in ipairs(args) do
    if arg == "--debug" then
      if i == 1 then table.remove(args, 1) end
      return true
    end
    if args[1] == "script" and i > 1 then return false end
  end
  return false
end

return function(args)
  local debug_wanted = wants_debug(args)
  local code = call(dispatch, args, debug_wanted)
  local written, message = io.stdout:flush()
  if written or code ~= 0 then return code end
  io.stderr:write("exeunt: cannot write standard output: ", tostring(message), "\n")
  return 1
end
