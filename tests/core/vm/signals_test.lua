-- Signals (core/vm/signals.c). Each case runs in a process of its own, which signals itself through a child: popen, unlike
-- system, does not hold signals back.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"

TestSignals = {}

local prelude = [[
  jit.off()                                 -- compiled loops do not look at hooks
  local signals, core = require "exeunt.signals", require "exeunt.core"
  local function kill(name) io.popen("kill -" .. name .. " $PPID"):close() end
]]

local function script(code)
  local folder = command.folder()
  command.write(folder .. "/case.lua", prelude .. code)
  local result = command.run("script " .. folder .. "/case.lua")
  command.remove(folder)
  return result
end

local function prints(code, expected, err)
  local result = script(code)
  lu.assertEquals({ result.code, result.out, result.err }, { 0, expected, err or "" })
end

local notice = "\nexeunt: stopping after this step; again to stop at once\n"

function TestSignals.test_a_step_only_notes_the_first()
  prints([[
    signals.install "step"
    print(signals.requested())
    kill "INT"
    print(signals.requested(), core.C.ex_interrupted())
    print(pcall(signals.check))
    signals.reset()
    print(signals.requested())
    kill "TERM"
    print(signals.requested(), (select(2, pcall(signals.check))))
  ]], "nil\nSIGINT\t0\nfalse\tinterrupted\nnil\nSIGTERM\tterminated\n", notice .. notice)
end

function TestSignals.test_now_interrupts_lua_and_c()
  prints([[
    signals.install "now"
    print(pcall(function() kill "INT" while true do end end))
    print(core.C.ex_interrupted(), signals.requested())
    signals.reset()
    print(core.C.ex_interrupted(), signals.requested())
    print(pcall(function() kill "TERM" while true do end end))
  ]], "false\tinterrupted\n1\tSIGINT\n0\tnil\nfalse\tterminated\n")
end

function TestSignals.test_now_interrupts_a_coroutine()
  prints([[
    signals.install "now"
    local loop = coroutine.wrap(function() kill "INT" while true do end end)
    print(pcall(loop))
  ]], "false\tinterrupted\n")
end

function TestSignals.test_the_second_ends_at_once()
  for name, code in pairs { INT = 130, TERM = 143 } do
    local result = script(([[
      signals.install "step"
      kill "INT"
      kill %q
      print "not reached"
    ]]):format(name))
    lu.assertEquals({ result.code, result.out }, { code, "" })
  end
end

function TestSignals.test_an_interrupted_command_exits_with_130()
  for name, expected in pairs { INT = { 130, "exeunt: interrupted\n" }, TERM = { 143, "exeunt: terminated\n" } } do
    local result = script(([[
      signals.install "now"
      kill %q
      while true do end
    ]]):format(name))
    lu.assertEquals({ result.code, result.err }, expected)
  end
end

function TestSignals.test_unknown_modes_are_refused()
  lu.assertErrorMsgContains("invalid option 'later'", require("exeunt.signals").install, "later")
end

os.exit(lu.LuaUnit.run())
