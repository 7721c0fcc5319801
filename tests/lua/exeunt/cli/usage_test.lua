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

function TestUsage.test_numbers_below_zero_are_no_options()
  local p = usage.parser("x", "")
  p:argument "what"
  p:argument("value"):args "*"
  p:option "--step"
  p:flag "--json"
  local function parsed(...) return usage.parse("x", p, usage.numbers_last(p, { ... })) end
  local given = parsed("a", "-1", "--step", "-2", "-.5", "--json")
  lu.assertEquals({ given.what, given.value, given.step, given.json }, { "a", { "-1", "-.5" }, "-2", true })
  given = parsed("a", "--", "-1", "--step=3", "-inf")
  lu.assertEquals({ given.what, given.value, given.step }, { "a", { "-1", "-inf" }, "3" })
  lu.assertEquals(parsed("a", "--", "--stpe").value, { "--stpe" })
  for text, message in pairs { ["--stpe"] = "x: unknown option '--stpe'; did you mean '--step'?",
                               ["--step"] = "x: option '--step' requires" } do
    local _, err = pcall(parsed, "a", text)
    lu.assertStrContains(err.message, message)
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
