-- repl/show.lua: a value as the prompt prints it. What has a __tostring says itself; tables are shown to a depth and cut;
-- functions by where they are defined.

local inspect = require "inspect"

local show = {}

local DEPTH, LINES = 3, 40
local ITEMS = 100          -- of a list that are shown

local function show_function(f)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return "function (built in)" end
  return ("function (%s:%d)"):format(info.short_src, info.linedefined)
end

-- The first ITEMS of a long list, and how many more there are.
local function beginning(list)
  local part = { unpack(list, 1, ITEMS) }
  part[ITEMS + 1] = ("\1... %d more\2"):format(#list - ITEMS)
  return part
end

-- Inside a table: metatables are left out, and what can say itself does, in a line between \1 and \2.
local function process(item, path)
  if path[#path] == inspect.METATABLE then return nil end
  if #path > 0 and type(item) == "function" then return "\1" .. show_function(item) .. "\2" end
  if #path > 0 and type(item) == "table" then
    local meta = getmetatable(item)
    if type(meta) == "table" and meta.__tostring then
      local text = tostring(item)
      return "\1" .. (text:find "\n" and text:match "^[^\n]*" .. " ..." or text) .. "\2"
    end
  end
  return type(item) == "table" and #item > ITEMS and beginning(item) or item
end

local function cut(text)
  local lines, count = {}, 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    count = count + 1
    if count <= LINES then lines[count] = line end
  end
  if count > LINES then lines[LINES + 1] = ("... %d more lines"):format(count - LINES) end
  return table.concat(lines, "\n")
end

-- One value as text.
function show.value(value)
  local kind = type(value)
  if kind == "function" then return show_function(value) end
  if kind == "number" then return ("%.14g"):format(value) end
  if kind ~= "table" then return kind == "string" and inspect(value) or tostring(value) end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__tostring then return tostring(value) end
  local text = inspect(value, { depth = DEPTH, process = process })
  return cut((text:gsub('"\\1(.-)\\2"', "%1")))             -- inspect took it for a string and quoted it
end

-- Values in a line each.
function show.values(n, ...)
  local lines = {}
  for i = 1, n do lines[i] = show.value((select(i, ...))) end
  return table.concat(lines, "\n")
end

return show
