-- repl/show.lua: values as the prompt prints them.

local lu = require "luaunit"
local show = require "exeunt.repl.show"

TestShow = {}

function TestShow.test_plain_values()
  for text, value in pairs { ["1"] = 1, ["0.5"] = 0.5, ["1e+20"] = 1e20, ["true"] = true, ['"a"'] = "a", ['"a\\nb"'] = "a\nb" } do
    lu.assertEquals(show.value(value), text)
  end
  lu.assertEquals(show.value(nil), "nil")
  lu.assertEquals(show.value(print), "function (built in)")
  lu.assertStrMatches(show.value(show.value), "function %(.*show%.lua:%d+%)")
end

function TestShow.test_what_can_say_itself_does()
  local thing = setmetatable({ secret = 1 }, { __tostring = function() return "a thing" end })
  lu.assertEquals(show.value(thing), "a thing")
  lu.assertEquals(show.value { thing = thing }, '{\n  thing = a thing\n}')
end

function TestShow.test_functions_in_a_table_say_where_they_are()
  lu.assertStrMatches(show.value { f = show.value }, "{\n  f = function %(.*show%.lua:%d+%)\n}")
end

function TestShow.test_metatables_are_left_out()
  lu.assertEquals(show.value(setmetatable({ 1 }, { __index = {} })), "{ 1 }")
end

function TestShow.test_depth_and_length_are_limited()
  lu.assertEquals(show.value { { { { { 1 } } } } }, "{ { { {...} } } }")
  local long = {}
  for i = 1, 100 do long["key" .. i] = i end
  local text = show.value(long)
  lu.assertStrMatches(text, ".*\n%.%.%. 62 more lines")
  local _, lines = text:gsub("\n", "\n")
  lu.assertEquals(lines, 40)
end

function TestShow.test_long_lists_are_cut()
  local list = {}
  for i = 1, 10000 do list[i] = setmetatable({}, { __tostring = function() return "item " .. i end }) end
  local text = show.value(list)
  lu.assertStrContains(text, "item 100, ... 9900 more }")
  lu.assertNotStrContains(text, "item 101")
  lu.assertEquals(#list, 10000)
  lu.assertStrContains(show.value { inside = list }, "... 9900 more")
end

function TestShow.test_a_table_that_holds_itself()
  local loop = {}
  loop.loop = loop
  lu.assertStrContains(show.value(loop), "<table 1>")
end

function TestShow.test_several()
  lu.assertEquals(show.values(3, 1, nil, "x"), '1\nnil\n"x"')
  lu.assertEquals(show.values(0), "")
end

os.exit(lu.LuaUnit.run())
