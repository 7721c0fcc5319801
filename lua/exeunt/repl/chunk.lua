-- repl/chunk.lua: from what was typed to a function: an expression, a statement, or the beginning of one. It runs nothing.
-- Chunks are compiled without the JIT, since compiled loops do not look at the hook that Ctrl-C sets.

local chunk = {}

local function incomplete(message)
  return message:find("near '<eof>'", 1, true) ~= nil or message:find("unfinished long", 1, true) ~= nil
end

-- `local` before a first definition would forget it at the end of the line, so at the prompt it is dropped.
local function without_local(text)
  local rest = text:match "^%s*local%s+(function%s.*)$" or text:match "^%s*local%s+([%a_][%w_%s,]*=.*)$"
  return rest or text
end

-- text -> function, is_expression; or nil, "incomplete"; or nil, message.
function chunk.compile(text)
  text = without_local(text)
  local expression = text:match "^%s*=(.*)$" or text
  local f = load("return " .. expression, "=prompt")
  local is_expression = f ~= nil and expression:find "%S" ~= nil
  local message
  if not f then
    f, message = load(expression, "=prompt")
  end
  if f then
    require("jit").off(f, true)
    return f, is_expression
  end
  return nil, incomplete(message) and "incomplete" or message
end

return chunk
