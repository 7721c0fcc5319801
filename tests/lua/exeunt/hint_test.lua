-- hint.lua: what is added to a message of Lua's own, and that nothing else is touched.

local lu = require "luaunit"
local ex = require "exeunt"
local hint = require "exeunt.hint"

TestHint = {}

-- The message of f with its hint, and without.
local function hinted(f)
  local _, message = pcall(f)
  return hint.of(message), message
end

function TestHint.test_a_method_with_a_point()
  local net, x = ex.models.lenet(), ex.tensor.ones(2)
  local told, plain = hinted(function() net.parameters() end)
  lu.assertEquals(told, plain .. " (a method is called with a colon: net:parameters())")
  for _, f in ipairs { function() x.sum(0) end, function() x.sum() end } do
    told, plain = hinted(f)
    lu.assertEquals(told, plain .. " (a method is called with a colon: x:sum(0))")
  end
end

function TestHint.test_other_messages_stay()
  local t = tonumber "none"
  for _, f in ipairs { function() return t.x end, function() error "train: epochs" end, function() ex.tensor.ones(2):sum(7) end } do
    local told, plain = hinted(f)
    lu.assertEquals(told, plain)
  end
end

os.exit(lu.LuaUnit.run())
