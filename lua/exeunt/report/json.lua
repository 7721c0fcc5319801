-- json.lua: writes JSON for files that are compared byte by byte: keys in a fixed order, each number in the fewest digits
-- that give the same double back, NaN and the infinities as null. A table with no integer keys is an object; an empty
-- table is an object unless it was made by `list`. Reading is lua-cjson's work. It refuses what JSON cannot hold.

local cjson = require "cjson"

local json = { null = cjson.null }

local List = {}

-- list(t): marks t as a list, so that an empty one is written as [].
function json.list(t)
  return setmetatable(t or {}, List)
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quoted(s)
  return '"' .. s:gsub('[%c"\\\127]', function(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
end

-- number(x): the shortest of %.15g, %.16g and %.17g that reads back as x.
function json.number(x)
  if x ~= x or x == math.huge or x == -math.huge then return "null" end
  if x == math.floor(x) and math.abs(x) < 1e15 then return ("%d"):format(x) end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(x)
    if tonumber(text) == x then return text end
  end
end

local function is_list(t)
  return getmetatable(t) == List or t[1] ~= nil
end

local encode

local function encode_list(t, rank, where)
  local n, out = 0, {}
  for k in pairs(t) do
    if type(k) ~= "number" or k < 1 or k ~= math.floor(k) then
      error(("%s: a list with the key %s cannot be written as JSON"):format(where, tostring(k)), 0)
    end
    n = math.max(n, k)
  end
  for i = 1, n do out[i] = encode(t[i], rank, where .. "[" .. i .. "]") end
  return "[" .. table.concat(out, ", ") .. "]"
end

local function encode_object(t, rank, where)
  local keys, out = {}, {}
  for k in pairs(t) do
    if type(k) ~= "string" then
      error(("%s: the key %s cannot be written as JSON"):format(where, tostring(k)), 0)
    end
    keys[#keys + 1] = k
  end
  table.sort(keys, function(a, b)
    local ra, rb = rank[a] or 1e9, rank[b] or 1e9
    if ra ~= rb then return ra < rb end
    return a < b
  end)
  for i, k in ipairs(keys) do out[i] = quoted(k) .. ": " .. encode(t[k], rank, where .. "." .. k) end
  return "{" .. table.concat(out, ", ") .. "}"
end

function encode(x, rank, where)
  local kind = type(x)
  if x == nil or x == json.null then return "null"
  elseif kind == "number" then return json.number(x)
  elseif kind == "boolean" then return tostring(x)
  elseif kind == "string" then return quoted(x)
  elseif kind ~= "table" then error(("%s: a %s cannot be written as JSON"):format(where, kind), 0) end
  return (is_list(x) and encode_list or encode_object)(x, rank, where)
end

-- encode(x[, order[, where]]): the text, in one line. `order` lists keys that come first, in that order; the others
-- follow in alphabetical order. `where` names x in errors.
function json.encode(x, order, where)
  local rank = {}
  for i, k in ipairs(order or {}) do rank[k] = i end
  return encode(x, rank, where or "value")
end

-- decode(text): tables and values; null becomes json.null inside tables.
function json.decode(text)
  local ok, x = pcall(cjson.decode, text)
  if not ok then error("not JSON: " .. tostring(x):gsub("^.-:%d+: ", ""), 0) end
  return x
end

-- plain(x): a copy with every null as nil, for values that are only read.
function json.plain(x)
  if x == json.null then return nil end
  if type(x) ~= "table" then return x end
  local out = setmetatable({}, getmetatable(x))
  for k, v in pairs(x) do out[k] = json.plain(v) end
  return out
end

-- checked(x, where): x if JSON gives it back as it is (finite numbers, plain tables without cycles), else an error.
function json.checked(x, where, seen)
  local kind = type(x)
  if kind == "number" then
    if x ~= x or x == math.huge or x == -math.huge then
      error(("%s: %s cannot be kept in a file"):format(where, tostring(x)), 0)
    end
  elseif kind == "table" then
    seen = seen or {}
    if seen[x] then error(where .. ": a table that holds itself cannot be kept in a file", 0) end
    seen[x] = true
    local n, names = 0, 0
    for k, v in pairs(x) do
      n = n + 1
      if type(k) == "string" then names = names + 1
      elseif type(k) ~= "number" then error(("%s: the key %s cannot be kept in a file"):format(where, tostring(k)), 0) end
      json.checked(v, where .. "." .. tostring(k), seen)
    end
    if names ~= 0 and names ~= n or names == 0 and n ~= #x then
      error(where .. ": only lists 1..n and tables with names as keys can be kept in a file", 0)
    end
    seen[x] = nil
  elseif kind ~= "string" and kind ~= "boolean" and kind ~= "nil" then
    error(("%s: a %s cannot be kept in a file"):format(where, kind), 0)
  end
  return x
end

return json
