-- options.lua: named options, checked. A function that takes a table of options says which it knows and what they default
-- to; a misspelt one is an error that suggests the nearest, never silently ignored. It does not check types: who uses an
-- option knows what it takes.
--
--   local o = options.check("nn.conv2d", given, { out = options.required, stride = 1, bias = true, name = options.optional })

local core = require "exeunt.core"
local C, ffi = core.C, core.ffi

local options = {
  required = setmetatable({}, { __tostring = function() return "required" end }),   -- must be given
  optional = setmetatable({}, { __tostring = function() return "optional" end }),   -- may be absent: nil
}

-- nearest(name, names) -> the closest of a list of names, or nil if none is near.
function options.nearest(name, names)
  local array = ffi.new("const char *[?]", math.max(#names, 1), names)
  local found = C.ex_nearest(name, array, #names)
  return found ~= nil and ffi.string(found) or nil
end

-- shown(x): a value as a message shows it: texts in quotes, so that "20" is told from 20.
function options.shown(x)
  if type(x) == "string" then return '"' .. x .. '"' end
  return type(x) == "table" and "a table" or type(x) == "userdata" and "nothing" or tostring(x)
end

-- suggest(name, names[, most]) -> "; did you mean 'x'?", or "; there are a, b and c" where none is near, to end a message; of more than
-- `most` names, the first of them and how many more there are.
function options.suggest(name, names, most)
  local near = options.nearest(tostring(name), names)
  if near then return ("; did you mean '%s'?"):format(near) end
  if #names == 0 then return "; there are none" end
  if #names == 1 then return "; there is only " .. names[1] end
  if most and #names > most then return ("; there are %s and %d more"):format(table.concat(names, ", ", 1, most), #names - most) end
  return ("; there are %s and %s"):format(table.concat(names, ", ", 1, #names - 1), names[#names])
end

-- The name in `class` that is meant by one that is not there, or nil; and all its names.
local function meant(name, class, elsewhere)
  local names = {}
  for _, key in ipairs(options.sorted_keys(class)) do
    if type(key) == "string" and key:sub(1, 2) ~= "__" then names[#names + 1] = key end
  end
  return elsewhere and elsewhere[name] or options.nearest(name, names), names
end

-- guide(what, class[, elsewhere]) -> an __index function for things of a class: what the class has; for a name that is not there
-- but near, an error that suggests the nearest; otherwise nil, as fields that may be absent are asked for. `elsewhere`: PyTorch's
-- words for what has another name here.
function options.guide(what, class, elsewhere)
  return function(_, name)
    local value = rawget(class, name)
    if value ~= nil or type(name) ~= "string" or name:sub(1, 2) == "__" then return value end
    local near = meant(name, class, elsewhere)
    if near then core.raise("%s has no '%s'; did you mean '%s'?", what, name, near) end
  end
end

-- module(what, module[, elsewhere]) -> the module, in which every name that is not there is an error: it has all its names from the
-- start. To ask whether it has one: rawget.
function options.module(what, module, elsewhere)
  local meta = getmetatable(module) or {}
  meta.__index = function(_, name)
    if type(name) ~= "string" or name:sub(1, 2) == "__" then return nil end
    local near, names = meant(name, module, elsewhere)
    core.raise("%s has no '%s'%s", what, name, near and ("; did you mean '%s'?"):format(near) or options.suggest(name, names, 12))
  end
  return setmetatable(module, meta)
end

-- choice(where, name, value, known) -> known[value]; an error that lists the keys of `known` where there is none.
function options.choice(where, name, value, known)
  if value ~= nil and known[value] then return known[value] end
  local names = options.sorted_keys(known)
  for i, key in ipairs(names) do names[i] = '"' .. key .. '"' end
  core.raise("%s: %s must be %s, got %s", where, name, table.concat(names, " or "), tostring(value))
end

-- one_named(where, x) -> name, options or nil: of "tpe", or of a table with one name and its options, { tpe = { ... } }.
function options.one_named(where, x)
  if type(x) ~= "table" then return x end
  local name, given = next(x)
  if type(name) ~= "string" or next(x, name) ~= nil then
    core.raise("%s: expected one name with its options, as { name = { ... } }", where)
  end
  return name, given ~= true and given or nil
end

-- sorted_keys(t) -> list of the string keys of a table, sorted.
function options.sorted_keys(t)
  local names = {}
  for k in pairs(t) do
    if type(k) == "string" then names[#names + 1] = k end
  end
  table.sort(names)
  return names
end

local function copied(default)
  if type(default) ~= "table" or getmetatable(default) then return default end
  local copy = {}
  for k, v in pairs(default) do copy[k] = v end
  return copy
end

-- check(where, given, known) -> a new table with every known option: given or default. Default lists are copied, so that
-- a caller may change what it got. `given` may be nil: nothing was given.
function options.check(where, given, known)
  if type(given) == "table" and type(given.node) == "function" then
    core.raise("%s: expected options, got a graph: make the layer first, %s { ... }(g, name, x)", where, where)
  end
  if given ~= nil and type(given) ~= "table" then
    core.raise("%s: expected a table of options, got %s", where, type(given) == "cdata" and tostring(given) or type(given))
  end
  local filled = {}
  for name, value in pairs(given or {}) do
    if type(name) ~= "string" then
      core.raise("%s: options are named (name = value), got a value without a name at place %s", where, tostring(name))
    end
    if known[name] == nil then
      core.raise("%s: unknown option '%s'%s", where, name, options.suggest(name, options.sorted_keys(known)))
    end
    filled[name] = value
  end
  for _, name in ipairs(options.sorted_keys(known)) do
    if filled[name] == nil then
      if known[name] == options.required then core.raise("%s: option '%s' is missing", where, name) end
      if known[name] ~= options.optional then filled[name] = copied(known[name]) end
    end
  end
  return filled
end

return options
