-- repl/chunk.lua: expressions, statements, beginnings.

local lu = require "luaunit"
local chunk = require "exeunt.repl.chunk"

TestChunk = {}

function TestChunk.test_kinds()
  local f, expression = chunk.compile "1 + 1"
  lu.assertEquals({ f(), expression }, { 2, true })
  f, expression = chunk.compile "= 1 + 1"
  lu.assertEquals({ f(), expression }, { 2, true })
  f, expression = chunk.compile "do end"
  lu.assertEquals({ type(f), expression }, { "function", false })
  f, expression = chunk.compile ""
  lu.assertEquals({ type(f), expression }, { "function", false })
end

function TestChunk.test_beginnings()
  for _, text in ipairs { "for i = 1, 2 do", "f(", "x =", "t = { 1,", "s = [[", "--[[", "if x then", "function f()", "1 +" } do
    local f, what = chunk.compile(text)
    lu.assertNil(f)
    lu.assertEquals(what, "incomplete", text)
  end
end

function TestChunk.test_errors()
  local f, message = chunk.compile "x = = 1"
  lu.assertNil(f)
  lu.assertStrContains(message, "prompt:1: unexpected symbol near '='")
  f, message = chunk.compile "s = 'unfinished"
  lu.assertNil(f)
  lu.assertStrContains(message, "unfinished string")
end

function TestChunk.test_local_is_dropped_before_a_definition_only()
  for text, name in pairs { ["local chunk_a = 1"] = "chunk_a", ["local function chunk_b() end"] = "chunk_b" } do
    chunk.compile(text)()
    lu.assertNotNil(rawget(_G, name))
    rawset(_G, name, nil)
  end
  chunk.compile "do local chunk_c = 1 end" ()
  lu.assertNil(rawget(_G, "chunk_c"))
end

-- Chunks run interpreted, functions inside them too, so that a signal's hook stops any loop in them.
function TestChunk.test_chunks_are_not_compiled()
  local loop = chunk.compile "(function() local n = 0 for _ = 1, 1e4 do n = n + 1 end return n end)()"
  local traces = 0
  local function count(what) if what == "start" then traces = traces + 1 end end
  require("jit").attach(count, "trace")
  local n = loop()
  require("jit").attach(count)
  lu.assertEquals({ n, traces }, { 1e4, 0 })
end

os.exit(lu.LuaUnit.run())
