-- repl/help.lua: help(x) at the prompt. A function shows the comment above its definition (a class's `new` its file's first
-- comment before that), a module its file's first comment and its functions, a thing that says itself (a tensor, a network)
-- the first comment of its class's file and its methods, a string the operator or module of that name. It reads the sources;
-- nothing is stored twice.

local core = require "exeunt.core"

local help = {}

local overview = [[
Type an expression to see its value, or any Lua statement. `ex` is the engine:
  ex.tensor{1, 2, 3}            numbers         ex.models.vgg{ ... }         a network
  ex.exits.anticipate(net)      its exits       ex.data.open "NAME"          a data set
  net:forward(x)                run it          ex.load "FILE or RUN"        what was trained
help(ex.train) shows what a function or module does, help "conv2d" an operator, help "operators" all of them.
Tab completes names, Ctrl-C stops what runs, Ctrl-D leaves.]]

-- -- Sources ---------------------------------------------------------------------------------------------

local function read_lines(path)
  local file = io.open(path, "r")
  if not file then return nil end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

local function uncomment(line)
  return (line:gsub("^%s*%-%-+ ?", ""))
end

-- The comment lines that stand directly above line `at`.
local function comment_above(lines, at)
  local first = at
  while first > 1 and lines[first - 1]:match "^%s*%-%-" do first = first - 1 end
  local text = {}
  for i = first, at - 1 do text[#text + 1] = uncomment(lines[i]) end
  return text
end

-- The comment that a file begins with.
local function first_comment(lines)
  local text = {}
  for _, line in ipairs(lines) do
    if not line:match "^%s*%-%-" then break end
    text[#text + 1] = uncomment(line)
  end
  return text
end

-- -- What help is about -----------------------------------------------------------------------------------

-- "function Network:forward(x)" of the line that defines it; nil where the line gives the function no name of its own, so
-- that the comment has to say how it is called.
local function signature(line)
  local text = line:match "^%s*(function%s+[%w_.:]+%s*%b())" or line:match "^%s*local%s+(function%s+[%w_]+%s*%b())"
  local name, arguments = line:match "^%s*local%s+([%w_]+)%s*=%s*function%s*(%b())"
  return text or name and ("function %s%s"):format(name, arguments)
end

-- The lines of the file that defines a function, and the place; nil for what no file does.
local function source_of(f)
  local info = debug.getinfo(f, "S")
  local path = info.source:match "^@(.*)$"
  local lines = path and read_lines(path)
  if lines and lines[info.linedefined] then return lines, path, info.linedefined end
end

local function about_function(f)
  local lines, path, at = source_of(f)
  if not lines then return { debug.getinfo(f, "S").what == "C" and "built in" or "typed at the prompt" } end
  local text = comment_above(lines, at)
  if #text == 0 and at > 1 and lines[at - 1]:match "^%s*for%s" then text = comment_above(lines, at - 1) end   -- made in a loop
  if #text == 0 then text = first_comment(lines) end         -- a file about one thing says it at its top
  local head = signature(lines[at])
  if head and head:match "[.:]new%s*%(" then                 -- what it makes is what its file is about
    local about = first_comment(lines)
    for i, line in ipairs(about) do table.insert(text, i, line) end
  elseif head then table.insert(text, 1, head) end
  text[#text + 1] = ("(%s:%d)"):format(path, at)
  return text
end

-- The name under which a table is loaded as a module, or nil.
local function module_name(value)
  local found
  for name, loaded in pairs(package.loaded) do
    if rawequal(loaded, value) and name ~= "_G" and (not found or #name < #found) then found = name end
  end
  return found
end

-- The names behind value. or value: (its methods), in a line.
local function names_of(value, separator)
  local names = require("exeunt.repl.complete").words({ it = value }, "it" .. separator)
  for i, word in ipairs(names) do names[i] = word:sub(4) end
  return #names > 0 and "It has: " .. table.concat(names, ", ") or nil
end

local function about_module(name, value)
  local path = package.searchpath(name, package.path)
  local lines = path and read_lines(path)
  local text = lines and first_comment(lines) or { name }
  text[#text + 1] = names_of(value, ".")
  return text
end

-- What says itself: its class is where it says so.
local function about_instance(value, meta)
  local lines = source_of(meta.__tostring)
  if not lines then return { tostring(value) } end
  local text = first_comment(lines)
  text[#text + 1] = names_of(value, ":")
  return text
end

local function about_table(value)
  local meta = getmetatable(value)
  local candidates = { value, meta, type(meta) == "table" and rawget(meta, "__index") or nil }
  for i = 1, 3 do
    local name = candidates[i] ~= nil and module_name(candidates[i])
    if name then return about_module(name, value) end
  end
  if type(meta) == "table" and type(meta.__tostring) == "function" then return about_instance(value, meta) end
  return { tostring(value) }
end

local function operators()
  local list = {}
  for i = 0, core.C.ex_op_count() - 1 do
    list[#list + 1] = { core.ffi.string(core.C.ex_op_name(i)), core.ffi.string(core.C.ex_op_about(i)) }
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

local function about_name(name)
  local text = {}
  for _, op in ipairs(operators()) do
    if name == "operators" then text[#text + 1] = ("%-28s %s"):format(op[1], op[2])
    elseif op[1] == name then text[#text + 1] = ("operator %s: %s"):format(op[1], op[2]) end
  end
  if #text > 0 then return text end
  for _, module in ipairs { name, "exeunt." .. name, (name:gsub("^ex%.", "exeunt.")) } do
    if package.loaded[module] or package.searchpath(module, package.path) then
      local ok, value = pcall(require, module)
      if ok then return type(value) == "function" and about_function(value) or about_module(module, value) end
    end
  end
  return { ("nothing is known about %q; help() says how to begin"):format(name) }
end

-- What `help` itself shows, without parentheses.
function help.hint() return "help() says how to begin, help(x) what x is" end

-- The help of a value, as lines.
function help.lines(...)
  if select("#", ...) == 0 then return { overview } end
  local value = ...
  if type(value) == "string" then return about_name(value) end
  if type(value) == "function" then return about_function(value) end
  if value == nil then return { "nil: nothing has that name here; help() says how to begin" } end
  if type(value) ~= "table" then return { type(value) .. " " .. tostring(value) } end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__call and not meta.__tostring then
    local text, called = about_table(value), about_function(meta.__call)
    if called[#called - 1] == text[#text - 1] then called = { called[#called] } end      -- the file's comment says it all
    for _, line in ipairs(called) do text[#text + 1] = line end
    return text
  end
  return about_table(value)
end

return help
