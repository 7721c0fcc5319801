-- knobs.lua: what a recipe lets a person turn. A knob takes the type of its default: number, boolean, string, or a list
-- (of numbers or strings, by its first element), written widths=32,64,128. Every recipe also has `train_limit` (how many
-- training images; none: all) and `seed` (420). An unknown knob is an error that suggests the nearest known one, on the command
-- line and where a recipe reads it: `epochs = knobs.epoch` would otherwise train by the default and say nothing.

local core = require "exeunt.core"
local options = require "exeunt.options"

local knobs = {}

local truth = { ["true"] = true, yes = true, on = true, ["1"] = true, ["false"] = false, no = false, off = false, ["0"] = false }
local always = { train_limit = "number", seed = "number" }

-- The kind of a default: "number", "boolean", "string", "numbers", "strings", or nil where it cannot be a knob.
local function kind_of(default)
  local kind = type(default)
  if kind == "number" or kind == "boolean" or kind == "string" then return kind end
  if kind ~= "table" then return nil end
  local element = type(default[1] == nil and 0 or default[1])
  if element ~= "number" and element ~= "string" then return nil end
  for k, v in pairs(default) do
    if type(k) ~= "number" or type(v) ~= element then return nil end
  end
  return element .. "s"
end

-- declare(defaults): { kinds, defaults } with train_limit and seed added; refuses what cannot be a knob.
function knobs.declare(defaults)
  local kinds, values = {}, { seed = 420 }
  for name, kind in pairs(always) do kinds[name] = kind end
  for name, default in pairs(defaults or {}) do
    if type(name) ~= "string" or not name:match "^[%a_][%w_]*$" then
      core.raise("recipe: a knob's name must be a word, got %s", tostring(name))
    end
    local kind = kind_of(default)
    if not kind then
      core.raise("recipe: knob %s: its default must be a number, a boolean, a string or a list of numbers or strings", name)
    end
    if always[name] and kind ~= always[name] then core.raise("recipe: knob %s must be a number", name) end
    kinds[name], values[name] = kind, default
  end
  return { kinds = kinds, defaults = values }
end

local function number(name, text)
  local x = tonumber(text)
  if not x or x ~= x or x == math.huge or x == -math.huge then
    core.raise("knob %s must be a number, got %s=%s", name, name, text)
  end
  return x
end

local function list(name, text, kind)
  local out = {}
  for item in (text == "" and "" or text .. ","):gmatch "([^,]*)," do
    out[#out + 1] = kind == "numbers" and number(name, item) or item
  end
  return out
end

local function parse(name, text, kind)
  if kind == "number" then return number(name, text) end
  if kind == "string" then return text end
  if kind == "boolean" then
    if truth[text] == nil then core.raise("knob %s must be true or false, got %s=%s", name, name, text) end
    return truth[text]
  end
  return list(name, text, kind)
end

-- A copy, so that a recipe that edits its knobs does not edit its defaults.
local function copy(x)
  if type(x) ~= "table" then return x end
  local out = {}
  for k, v in pairs(x) do out[k] = v end
  return out
end

-- unknown(name, kinds): raises, and suggests the nearest knob.
local function unknown(name, kinds)
  core.raise("unknown knob '%s'%s", name, options.suggest(name, options.sorted_keys(kinds)))
end

-- guarded(values, kinds): the values; to read a name that is no knob and was not set is an error.
local function guarded(values, kinds)
  return setmetatable(values, { __index = function(_, name)
    if type(name) == "string" and not kinds[name] then
      core.raise("the recipe has no knob '%s'%s", name, options.suggest(name, options.sorted_keys(kinds)))
    end
  end })
end

-- resolve(declared, given): the values of all knobs; `given` maps names to texts from a command line, or to values of the
-- knob's own type. Reading what is no knob raises.
function knobs.resolve(declared, given)
  local values = {}
  for name, default in pairs(declared.defaults) do values[name] = copy(default) end
  for name, x in pairs(given or {}) do
    local kind = declared.kinds[name]
    if not kind then unknown(name, declared.kinds) end
    if type(x) == "string" then
      values[name] = parse(name, x, kind)
    elseif kind_of(x) ~= kind and not (type(x) == "table" and x[1] == nil and kind:match "s$") then
      core.raise("knob %s must be a %s, got a %s", name, kind, type(x))
    else
      values[name] = copy(x)
    end
  end
  for name in pairs(always) do
    local x = values[name]
    local low = name == "seed" and 0 or 1
    if x and (x ~= math.floor(x) or x < low or x > 2 ^ 53) then
      core.raise("knob %s must be a whole number from %d on, got %s", name, low, tostring(x))
    end
  end
  return guarded(values, declared.kinds)
end

-- same(a, b): whether two values of a knob are equal.
function knobs.same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  if #a ~= #b then return false end
  for i = 1, #a do if a[i] ~= b[i] then return false end end
  return true
end

-- show(value): as it is written on the command line.
function knobs.show(value)
  if type(value) == "table" then
    local items = {}
    for i, x in ipairs(value) do items[i] = tostring(x) end
    return table.concat(items, ",")
  end
  return tostring(value)
end

return knobs
