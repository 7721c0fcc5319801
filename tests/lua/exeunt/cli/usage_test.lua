-- cli/usage.lua: suggestions and numbers.

local lu = require "luaunit"
local usage = require "exeunt.cli.usage"

TestUsage = {}

function TestUsage.test_suggestions()
  local names = { "run", "repl", "plan", "doctor" }
  lu.assertEquals(usage.suggest("rnu", names), "; did you mean 'run'?")
  lu.assertEquals(usage.suggest("doktor", names), "; did you mean 'doctor'?")
  lu.assertEquals(usage.suggest("plans", names), "; did you mean 'plan'?")
  lu.assertEquals(usage.suggest("evaluate", names), "")
  lu.assertEquals(usage.suggest("x", {}), "")
  lu.assertEquals(usage.suggest("evaluate", names, "; see elsewhere"), "; see elsewhere")
end

function TestUsage.test_whole_numbers()
  local read = usage.whole("--n", 1, 10)
  lu.assertEquals(read "10", 10)
  for _, text in ipairs { "0", "11", "1.5", "-1", "abc", "", " 1", "0x1", "1e0" } do
    local value, message = read(text)
    lu.assertNil(value)
    lu.assertEquals(message, ("--n must be a whole number from 1 to 10, got '%s'"):format(text))
  end
end

function TestUsage.test_errors_carry_their_exit_code()
  local _, err = pcall(usage.fail, "bad %s", "x")
  lu.assertEquals(err, { code = 2, message = "bad x" })
  _, err = pcall(usage.done, "text")
  lu.assertEquals(err, { code = 0, text = "text" })
end

function TestUsage.test_writing_to_a_closed_stream_fails()
  local full = assert(io.open("/dev/full", "w"))
  lu.assertErrorMsgContains("cannot write the result: ", usage.write, full, ("x"):rep(100000))
  full:close()
end

os.exit(lu.LuaUnit.run())
