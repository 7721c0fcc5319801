-- hint.lua: what a message of Lua's own means to who comes from Python: a method called with a point, a recipe that names the
-- engine nowhere. It adds to a message and never changes one.

local hint = {}

-- A Lua pattern of a message -> what to do about it. A class's methods call what stands before the colon `self`, a tensor's `t`.
local known = {
  { "/lua/exeunt/[%w_/]+%.lua:%d+: attempt to index local 'self' %(an? %l+ value%)", "a method is called with a colon: net:parameters()" },
  { "/lua/exeunt/tensor[%w_]*%.lua:%d+: attempt to index local 't' %(an? %l+ value%)", "a method is called with a colon: x:sum(0)" },
  { "attempt to index global 'ex' %(a nil value%)", 'the file has to begin with: local ex = require "exeunt"' },
}

-- of(text): the message, with what is probably meant.
function hint.of(text)
  for _, each in ipairs(known) do
    if text:find(each[1]) then return ("%s (%s)"):format(text, each[2]) end
  end
  return text
end

return hint
