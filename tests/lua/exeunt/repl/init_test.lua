-- The prompt as a filter: what it prints for what it reads. (On a terminal: tests/core/vm/lineedit_test.lua.)

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"

TestPrompt = {}

local function answers(input, out, err, code)
  local result = command.run("repl", input)
  lu.assertEquals({ result.out, result.err, result.code }, { out, err or "", code or 0 }, input)
end

function TestPrompt.test_expressions_print_their_values()
  answers("1 + 2\n", "3\n")
  answers("= 1 + 2\n", "3\n")
  answers("'a' .. 'b'\n", '"ab"\n')
  answers("1, nil, true\n", "1\nnil\ntrue\n")
  answers("nil\n", "nil\n")
  answers("(function() end)()\n", "")
  answers("{ 1, a = 2 }\n", "{ 1,\n  a = 2\n}\n")
  answers("0.1\n", "0.1\n")
end

function TestPrompt.test_statements_print_nothing_of_their_own()
  answers("x = 5\n", "")
  answers("x = 5\nx * 2\n", "10\n")
  answers("print 'hello'\n", "hello\n")
  answers("\n   \n-- a comment\n", "")
end

function TestPrompt.test_local_is_kept_from_line_to_line()
  answers("local a, b = 1, 2\na + b\n", "3\n")
  answers("local function twice(x) return 2 * x end\ntwice(4)\n", "8\n")
end

function TestPrompt.test_a_statement_may_take_several_lines()
  answers("for i = 1, 2 do\n  print(i)\nend\n", "1\n2\n")
  answers("t = {\n1,\n2 }\n#t\n", "2\n")
  answers("s = [[one\ntwo]]\n#s\n", "7\n")
  answers("1 +\n2\n", "3\n")
end

function TestPrompt.test_an_error_leaves_it_alive()
  answers("error('bad', 0)\n1\n", "1\n", "error: bad\n", 1)
  answers("local x = nil + 1\n1\n", "1\n", "error: prompt:1: attempt to perform arithmetic on a nil value\n", 1)
  answers("1 +* 2\n1\n", "1\n", "error: prompt:1: unexpected symbol near '*'\n", 1)
  answers("error { message = 'told' }\n1\n", "1\n", "error: told\n", 1)
  answers("setmetatable({}, { __tostring = function() error('cannot say', 0) end })\n1\n", "1\n", "error: cannot say\n", 1)
  answers("x = {\n", "", "error: the input ends inside a statement\n", 1)
end

function TestPrompt.test_debug_shows_a_traceback()
  local result = command.run("repl --debug", "error 'bad'\n")
  lu.assertStrContains(result.err, "stack traceback:\n")
end

function TestPrompt.test_exit_leaves()
  answers("exit\nprint 'not reached'\n", "")
  answers("quit\nprint 'not reached'\n", "")
end

function TestPrompt.test_exit_as_a_call_leaves_too()
  for _, word in ipairs { "exit()", "quit()", " exit " } do answers(word .. "\nprint 'still here'\n", "") end
end

function TestPrompt.test_help_without_parentheses()
  answers("help\n", "help() says how to begin, help(x) what x is\n")
end

function TestPrompt.test_the_engine_is_at_hand()
  answers("ex == require 'exeunt'\n", "true\n")
  answers("nn == ex.nn, models == ex.models, tensor == ex.tensor\n", "true\ntrue\ntrue\n")
  answers("nosuch\n", "nil\n")
end

function TestPrompt.test_tensors_and_networks_say_themselves()
  local shown = command.run("repl", "ex.tensor { 1, 2 }\n")
  lu.assertEquals(shown.err, "")
  lu.assertStrContains(shown.out, "float32")
  shown = command.run("repl", "models.lenet { input = { 1, 28, 28 }, classes = 10 }\n")
  lu.assertEquals(shown.err, "")
  lu.assertStrContains(shown.out, "conv2d")
end

os.exit(lu.LuaUnit.run())
