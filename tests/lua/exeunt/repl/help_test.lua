-- repl/help.lua: help comes from the comments of the sources.

local lu = require "luaunit"
local help = require "exeunt.repl.help"

TestHelp = {}

local function text(...) return table.concat(help.lines(...), "\n") end

-- Adds two numbers.
-- Refuses nothing.
local function documented(a, b)
  return a + b
end

local bare = function() end

function TestHelp.test_how_to_begin()
  lu.assertStrContains(text(), "Ctrl-D leaves")
end

function TestHelp.test_functions()
  local lines = help.lines(documented)
  lu.assertEquals(#lines, 4)
  lu.assertEquals({ unpack(lines, 1, 3) }, { "function documented(a, b)", "Adds two numbers.", "Refuses nothing." })
  lu.assertStrMatches(lines[4], "%(.*help_test%.lua:%d+%)")
  lu.assertEquals(help.lines(bare)[2], "repl/help.lua: help comes from the comments of the sources.")
  lu.assertEquals(text(print), "built in")
  lu.assertEquals(text(load "return 1"), "typed at the prompt")
end

function TestHelp.test_modules()
  local shown = text(require "exeunt.report.table")
  lu.assertStrContains(shown, "report/table.lua: plain text tables")
  lu.assertStrContains(shown, "It has: bytes, count, render")
  lu.assertEquals(text "exeunt.report.table", shown)
  lu.assertEquals(text "report.table", shown)
  lu.assertEquals(text "ex.report.table", shown)
end

function TestHelp.test_objects_lead_to_their_module()
  local progress = require "exeunt.report.progress"
  lu.assertStrContains(text(progress.new { total = 1, clock = function() return 0 end }), "report/progress.lua: one line")
end

function TestHelp.test_operators()
  lu.assertStrMatches(text "conv2d", "operator conv2d: .+")
  local all = text "operators"
  lu.assertStrContains(all, "\nmax_pool2d ")
  lu.assertStrContains(all, "\nsoftmax_cross_entropy ")
end

function TestHelp.test_what_is_not_known()
  lu.assertEquals(text "nosuchthing", 'nothing is known about "nosuchthing"; help() says how to begin')
  lu.assertEquals(text(12), "number 12")
  lu.assertEquals(text(nil), "nil nil")
end

os.exit(lu.LuaUnit.run())
