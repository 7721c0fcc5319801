-- The command line as a whole: exit codes, one line for each error, help, versions, suggestions.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"

TestCommandLine = {}

function TestCommandLine:setUp() self.folder = command.folder() end
function TestCommandLine:tearDown() command.remove(self.folder) end

local function fails(arguments, code, message)
  local result = command.run(arguments)
  lu.assertEquals({ result.code, result.out, result.err }, { code, "", "exeunt: " .. message .. "\n" }, arguments)
end

function TestCommandLine.test_version()
  local result = command.run "--version"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertStrMatches(result.out, "exeunt %d+%.%d+%.%d+\n")
end

function TestCommandLine.test_help()
  local result = command.run "--help"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertEquals(command.run("help").out, result.out)
  lu.assertEquals(command.run("-h").out, result.out)
  for _, name in ipairs { "run", "repl", "plan", "doctor", "data", "script", "help" } do
    lu.assertStrMatches(result.out, ".*\n  " .. name .. ".*")
  end
end

function TestCommandLine.test_help_of_each_command()
  for _, name in ipairs { "run", "repl", "plan", "doctor", "data", "script" } do
    local result = command.run(name .. " --help")
    lu.assertEquals({ result.code, result.err }, { 0, "" }, name)
    lu.assertStrContains(result.out, "Usage: exeunt " .. name)
    lu.assertEquals(command.run("help " .. name).out, result.out)
  end
end

function TestCommandLine.test_without_a_terminal_a_command_is_needed()
  local result = command.run ""
  lu.assertEquals({ result.code, result.out }, { 2, "" })
  lu.assertStrContains(result.err, "Usage: exeunt COMMAND")
end

function TestCommandLine.test_usage_errors()
  fails("rnu", 2, "unknown command 'rnu'; did you mean 'run'?")
  fails("zzzzzz", 2, "unknown command 'zzzzzz'; see exeunt --help")
  fails("--verison", 2, "unknown option '--verison'; did you mean '--version'?")
  fails("help docter", 2, "unknown command 'docter'; did you mean 'doctor'?")
  fails("run", 2, "run: missing argument 'recipe'")
  fails("run recipe.lua --epochs 3", 2, "run: unknown option '--epochs'; a knob is set without dashes: epochs=VALUE")
  fails("run recipe.lua --sede 3", 2, "run: unknown option '--sede'; did you mean '--seed'?")
  fails("run recipe.lua epochs", 2, "run: 'epochs' is not of the form knob=value")
  fails("run recipe.lua a=1 a=2", 2, "run: the knob a is given twice")
  fails("run recipe.lua --threads 0", 2, "run: --threads must be a whole number from 1 to 1024, got '0'")
  fails("run recipe.lua --threads abc", 2, "run: --threads must be a whole number from 1 to 1024, got 'abc'")
  fails("run recipe.lua --seed -1", 2, "run: --seed must be a whole number from 0 to 9007199254740992, got '-1'")
  fails("plan recipe.lua --threads 1.5", 2, "plan: --threads must be a whole number from 1 to 1024, got '1.5'")
  fails("repl --threads 99999", 2, "repl: --threads must be a whole number from 1 to 1024, got '99999'")
  fails("doctor now", 2, "doctor: too many arguments")
  fails("script", 2, "script: a file is missing; see exeunt script --help")
end

function TestCommandLine.test_a_kernel_set_that_is_not_there_is_refused()
  local function with(isa, arguments)
    return command.shell(("EXEUNT_ISA=%s %s %s"):format(isa, os.getenv "EXEUNT" or "./exeunt", arguments))
  end
  for _, arguments in ipairs { "doctor", "data", "script nosuch.lua" } do
    local result = with("sse9", arguments)
    lu.assertEquals({ result.code, result.out, result.err },
                    { 2, "", "exeunt: EXEUNT_ISA: no kernel set 'sse9'; there are: avx512, avx2, portable\n" }, arguments)
  end
  lu.assertEquals(with("portable", "doctor").code, 0)
  lu.assertEquals(with("sse9", "--help").code, 0)
end

function TestCommandLine:test_a_failure_is_one_line()
  local path = self.folder .. "/bad.lua"
  command.write(path, "local x = nil\nreturn x.field\n")
  fails("script " .. path, 1, path .. ":2: attempt to index local 'x' (a nil value)")
  command.write(path, "error('two\\n   lines', 0)")
  fails("script " .. path, 1, "two lines")
  command.write(path, "\nrequire 'no.such'\n")
  fails("script " .. path, 1, path .. ":2: module 'no.such' not found")
  command.write(path, "return +\n")
  fails("script " .. path, 1, path .. ":1: unexpected symbol near '+'")
  command.write(path, "error { code = 2, message = 'as told' }")
  fails("script " .. path, 2, "as told")
  fails("script " .. self.folder .. "/none.lua", 1, ("cannot open %s/none.lua: No such file or directory"):format(self.folder))
end

function TestCommandLine:test_a_traceback_only_with_debug()
  local path = self.folder .. "/bad.lua"
  command.write(path, "error 'bad'")
  local result = command.run("--debug script " .. path)
  lu.assertEquals(result.code, 1)
  lu.assertStrContains(result.err, "bad.lua:1: bad\nstack traceback:\n")
  lu.assertNotStrContains(command.run("script " .. path .. " --debug").err, "traceback")   -- the script's own argument
end

function TestCommandLine:test_scripts()
  local path = self.folder .. "/good.lua"
  command.write(path, "print(arg[0] == ..., arg[1], select('#', ...), (select(2, ...))) return 5")
  local result = command.run(("script %s one --two"):format(path))
  lu.assertEquals({ result.code, result.out, result.err }, { 5, "false\tone\t2\t--two\n", "" })
end

function TestCommandLine.test_a_full_disk_is_told()
  local result = command.shell("${EXEUNT:-./exeunt} --help >/dev/full")
  lu.assertEquals(result.code, 1)
  lu.assertStrContains(result.err, "No space left on device")
end

os.exit(lu.LuaUnit.run())
