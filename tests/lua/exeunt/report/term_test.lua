-- report/term.lua: colours only on terminals that want them. Terminals are made by script(1).

local lu = require "luaunit"
local term = require "exeunt.report.term"
local command = dofile "tests/support/command.lua"

TestTerm = {}

local folder

function TestTerm:setUp()
  folder = command.folder()
  command.write(folder .. "/bold.lua", "print(require('exeunt.report.term').style('bold', 'text', 1))")
end

function TestTerm:tearDown() command.remove(folder) end

local function on_terminal(environment)
  local program = os.getenv "EXEUNT" or "./exeunt"
  local line = ("env %s script -qec '%s script %s/bold.lua' /dev/null"):format(environment, program, folder)
  return (command.shell(line).out:gsub("[\r\n]", ""))
end

function TestTerm.test_a_file_has_no_colours()
  lu.assertEquals(command.run("script " .. folder .. "/bold.lua").out, "text\n")
end

function TestTerm.test_a_terminal_has_unless_told_otherwise()
  if command.shell("script -qec true /dev/null").code ~= 0 then lu.skip "there are no pseudo-terminals here" end
  lu.assertEquals(on_terminal "-u NO_COLOR TERM=xterm", "\27[1mtext\27[0m")
  lu.assertEquals(on_terminal "NO_COLOR= TERM=xterm", "\27[1mtext\27[0m")
  lu.assertEquals(on_terminal "NO_COLOR=1 TERM=xterm", "text")
  lu.assertEquals(on_terminal "-u NO_COLOR TERM=dumb", "text")
end

function TestTerm.test_cutting()
  lu.assertEquals({ term.cut("aüb", 2), term.cut("aüb", 3), term.cut("", 3), term.cut("ab", 0) }, { "aü", "aüb", "", "" })
end

function TestTerm.test_unknown_styles_are_refused()
  lu.assertErrorMsgContains("unknown style blink", term.style, "blink", "x", 1)
end

os.exit(lu.LuaUnit.run())
