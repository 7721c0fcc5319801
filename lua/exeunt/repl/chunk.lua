-- repl/chunk.lua: from what was typed to a function: an expression, a statement, or the beginning of one. It runs nothing.
-- Chunks are compiled without the JIT, since compiled loops do not look at the hook that Ctrl-C sets.

local chunk = {}

local function incomplete(message)
  return message:find("near '<eof>'", 1, true) ~= nil and not message:find("unfinished string", 1, true)
end

-- Of the messages of a text read as an expression and as a statement, the one that fits what was meant: the statement's,
-- unless that stumbles over the very first word.
local function meant(text, as_expression, as_statement)
  local stumbled = as_statement:match "unexpected symbol near '(.-)'$"
  if stumbled and text:match "^%s*(.*)$":sub(1, #stumbled) == stumbled then return as_expression end
  return as_statement
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
  local f, as_expression = load("return " .. expression, "=prompt")
  local is_expression = f ~= nil and expression:find "%S" ~= nil
  local message
  if not f then
    f, message = load(expression, "=prompt")
  end
  if f then
    require("jit").off(f, true)
    return f, is_expression
  end
  message = meant(expression, as_expression, message)
  return nil, incomplete(message) and "incomplete" or message
end

return chunk
