-- recipe.lua: an experiment as a file. `ex.recipe { about, knobs, run }` checks it and gives it back; `recipe.load` reads
-- such a file, as text only. A recipe is trusted code, as a Python script is. It runs nothing by itself: run.lua does.

local core = require "exeunt.core"
local hint = require "exeunt.hint"
local options = require "exeunt.options"
local knobs = require "exeunt.knobs"

local Recipe = {}
Recipe.__index = Recipe

function Recipe:__tostring()
  local lines = { "recipe: " .. self.about }
  local names = {}
  for name in pairs(self.declared.kinds) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local default = self.declared.defaults[name]
    lines[#lines + 1] = ("  %s=%s"):format(name, default == nil and "" or knobs.show(default))
  end
  return table.concat(lines, "\n")
end

local recipe = { loading = false,           -- the file that load is reading
                 trace = false }            -- where the last error of a recipe came from, for --debug

-- new{ about = text, knobs = defaults, run = function(knobs) -> ex.result }
function recipe.new(given)
  local o = options.check("recipe", given, { about = options.required, knobs = {}, run = options.required })
  if type(o.about) ~= "string" then core.raise("recipe: about must be a text") end
  if type(o.run) ~= "function" then core.raise("recipe: run must be a function(knobs)") end
  return setmetatable({ about = o.about, run = o.run, declared = knobs.declare(o.knobs) }, Recipe)
end

-- load(path): the recipe in that file, and its text. Errors are one line with file and position.
function recipe.load(path)
  local file, why = io.open(path, "rb")
  if not file then core.raise("%s", why) end
  local text = file:read "*a"
  file:close()
  if not text then core.raise("%s: cannot be read (is it a folder?)", path) end
  local chunk, wrong = load(text, "@" .. path, "t")
  if not chunk then core.raise("%s%s", wrong, path:find "%.lua$" and "" or " (a recipe is a Lua file)") end
  local before = recipe.loading
  recipe.loading = path
  local ok, found = pcall(recipe.call, path, chunk)
  recipe.loading = before
  if not ok then error(found, 0) end
  if getmetatable(found) ~= Recipe then
    core.raise("%s: a recipe file must end with `return ex.recipe { ... }`, this one returns %s", path, found == nil and "nothing"
               or "a " .. type(found))
  end
  return found, text
end

-- is(x): whether it is a recipe.
function recipe.is(x) return getmetatable(x) == Recipe end

-- The line of `return something(...)` in the function or file f: such a call takes the place of its line on the stack, as in
-- `return ex.result { ... }`. A file has it last; in a function that has several nobody can tell which it was.
local function tail_call(f)
  local info, number, found = debug.getinfo(f, "S"), 0, {}
  local file = io.open(info.source:sub(2), "r")
  if not file then return nil end
  for line in file:lines() do
    number = number + 1
    if number == info.linedefined then line = line:match "function.*" or line end
    local inside = info.what == "main" or number >= info.linedefined and number <= info.lastlinedefined
    if inside and line:match "%f[%w_]return%s+[%a_][%w_.:]*%s*[%({\"']" then found[#found + 1] = number end
  end
  file:close()
  if info.what == "main" or #found == 1 then return found[#found] end
end

-- The innermost line of `path` on the stack of a failing call of f, "recipes/x.lua:12"; only the path where no line is known.
local function position(path, f)
  local level = 3
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.source == "@" .. path and info.currentline > 0 then return path .. ":" .. info.currentline end
    level = level + 1
  end
  local line = debug.getinfo(f, "S").source == "@" .. path and tail_call(f)
  return line and ("%s:%d"):format(path, line) or path
end

-- call(path, f, ...): f(...), where an error gets the line of the file that led to it. An error that already is a table
-- (a stop asked for, a usage error) passes unchanged.
function recipe.call(path, f, ...)
  local trace
  local arguments, n = { ... }, select("#", ...)
  local ok, result = xpcall(function() return f(unpack(arguments, 1, n)) end, function(e)
    if type(e) == "table" then return e end
    trace = debug.traceback("", 2)
    local text = hint.of(tostring(e))
    if text:sub(1, #path + 1) == path .. ":" then return text end
    return position(path, f) .. ": " .. text
  end)
  if ok then return result end
  recipe.trace = trace
  error(result, 0)
end

return setmetatable(recipe, { __call = function(_, given) return recipe.new(given) end })
