-- cli/run.lua: knobs from the command line. (What a run does is tested with run.lua; wrong options with cli/init.lua.)

local lu = require "luaunit"
local run = require "exeunt.cli.run"

TestRun = {}

function TestRun.test_knobs()
  lu.assertEquals(run.knobs {}, {})
  lu.assertEquals(run.knobs { "epochs=2", "widths=32,64", "note=a=b", "empty=" },
    { { "epochs", "2" }, { "widths", "32,64" }, { "note", "a=b" }, { "empty", "" } })
end

function TestRun.test_what_is_no_knob()
  for _, text in ipairs { "epochs", "=2", "2x=1", "a-b=1", "" } do
    local ok, err = pcall(run.knobs, { text })
    lu.assertFalse(ok)
    lu.assertEquals(err, { code = 2, message = ("run: '%s' is not of the form knob=value"):format(text) })
  end
  local _, err = pcall(run.knobs, { "a=1", "a=1" })
  lu.assertEquals(err.message, "run: the knob a is given twice")
end

os.exit(lu.LuaUnit.run())
