-- repl/complete.lua: the words that may stand for what was typed before Tab: globals, fields (a.b.c) and methods (a:b).
-- It looks values up, which may load a submodule of ex, but calls no function of the user's other than __index.
-- A table whose fields come from a function can name them: its metatable's __names(t) gives a list.

local complete = {}

local keywords = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local",
                   "nil", "not", "or", "repeat", "return", "then", "true", "until", "while" }

local function index(value, key)
  local ok, result = pcall(function() return value[key] end)
  if ok then return result end
end

-- The value that a path of names leads to, from `globals`; nil where it ends nowhere.
local function resolve(globals, path)
  local value = globals
  for name in path:gmatch "[^.:]+" do
    value = index(value, name)
    if value == nil then return nil end
  end
  return value
end

-- Adds the string keys of a value, and of what its metatable sends look-ups to, to the set `names`.
local function collect(value, names, depth)
  if type(value) == "table" then
    for key in next, value do
      if type(key) == "string" then names[key] = true end
    end
  end
  local meta = debug.getmetatable(value)
  if type(meta) ~= "table" or depth > 8 then return end
  if type(meta.__names) == "function" then
    local ok, list = pcall(meta.__names, value)
    for _, key in ipairs(ok and type(list) == "table" and list or {}) do names[key] = true end
  end
  local behind = rawget(meta, "__index")
  if type(behind) == "table" then collect(behind, names, depth + 1)
  elseif type(behind) == "function" then
    for key, field in next, meta do         -- a class whose methods lie beside its __index function
      if type(key) == "string" and type(field) == "function" then names[key] = true end
    end
  end
end

local function fits(key, prefix)
  if key:sub(1, #prefix) ~= prefix or not key:match "^[%a_][%w_]*$" then return false end
  return prefix:sub(1, 1) == "_" or key:sub(1, 1) ~= "_"
end

-- word: what stands before the cursor, of letters, digits, _ . and : ; gives whole words, sorted.
function complete.words(globals, word)
  local base, separator, prefix = word:match "^(.*)([.:])([%w_]*)$"
  if not base then base, separator, prefix = "", "", word end
  local value = globals
  if base ~= "" then value = resolve(globals, base) end
  if value == nil or (separator ~= "" and base == "") then return {} end
  local names, list = {}, {}
  collect(value, names, 0)
  if separator == "" and prefix ~= "" then
    for _, keyword in ipairs(keywords) do names[keyword] = true end
  end
  for key in pairs(names) do
    if fits(key, prefix) and (separator ~= ":" or type(index(value, key)) == "function") then
      list[#list + 1] = base .. separator .. key
    end
  end
  table.sort(list)
  return list
end

return complete
