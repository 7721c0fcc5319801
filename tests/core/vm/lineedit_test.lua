-- Line editing (core/vm/lineedit.c) as a person meets it: the prompt on a pseudo-terminal made by script(1). Only what does
-- not depend on how fast keys arrive.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"

TestLine = {}

function TestLine:setUp()
  self.home = command.folder()
  if command.shell("script -qec true /dev/null").code ~= 0 then lu.skip "there are no pseudo-terminals here" end
end

function TestLine:tearDown() command.remove(self.home) end

-- What the terminal shows when `keys` are typed.
function TestLine:type(keys)
  local program = os.getenv "EXEUNT" or "./exeunt"
  return command.shell(("TERM=xterm NO_COLOR=1 XDG_STATE_HOME=%s script -qec '%s' /dev/null"):format(self.home, program), keys)
end

function TestLine:test_lines_are_read_and_kept()
  local first = self:type 'first = 40\nprint("sum", first + 2)\nexit\n'
  lu.assertEquals(first.code, 0)
  lu.assertStrContains(first.out, "sum\t42")
  local history = assert(io.open(self.home .. "/exeunt/history", "r"))
  local text = history:read "*a"
  history:close()
  lu.assertStrContains(text, "first")
  self:type 'second = 1\nexit\n'
  history = assert(io.open(self.home .. "/exeunt/history", "r"))
  text = history:read "*a"
  history:close()
  lu.assertStrContains(text, "first")
  lu.assertStrContains(text, "second")
end

function TestLine:test_tab_completes()
  local shown = self:type 'alphabet = { omega = "completed" }\nprint(alphab\t.om\t)\nexit\n'
  lu.assertStrContains(shown.out, "\ncompleted")
end

function TestLine:test_an_error_leaves_the_prompt_alive()
  local shown = self:type 'error "bad"\nprint "still here"\nexit\n'
  lu.assertEquals(shown.code, 0)
  lu.assertStrContains(shown.out, "error: bad")
  lu.assertStrContains(shown.out, "\nstill here")
end

-- A loop typed at the prompt signals its own process, as Ctrl-C would: the loop ends, the prompt does not.
function TestLine:test_a_signal_ends_a_loop()
  local shown = self:type 'do io.popen("kill -INT $PPID"):close() while true do end end\nprint "still here"\nexit\n'
  lu.assertEquals(shown.code, 0)
  lu.assertStrContains(shown.out, "error: interrupted")
  lu.assertStrContains(shown.out, "\nstill here")
end

function TestLine:test_letters_beyond_ascii()
  local shown = self:type 'print(#"\195\169\226\130\172")\nexit\n'
  lu.assertStrContains(shown.out, "\n5")
end

os.exit(lu.LuaUnit.run())
