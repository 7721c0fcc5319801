-- netschema.lua: what the JSON of a network file may say: reads the text, checks every field by type, range and count, and
-- gives plain Lua tables. It builds no graph: whether names and shapes fit together is netfile.lua's to check.

local json = require "exeunt.report.json"
local weighting = require "exeunt.weighting"

local schema = { FORMAT = 1 }

-- The order in which fields are written.
schema.ORDER = { "format", "input", "classes", "class_names", "normalisation", "seed", "stages", "exits", "loss_weights",
                 "vote_weights", "leaves", "nodes", "name", "op", "kind", "shape", "frozen", "inputs", "attrs", "logits", "stage",
                 "mean", "std" }

-- -- Checks: each takes (x, where, fail) and gives what the network will hold -----------------------------------

local function text(x, where, fail)
  if type(x) ~= "string" or x == "" then fail("%s must be a text", where) end
  return x
end

local function number(x, where, fail)
  if type(x) ~= "number" or x - x ~= 0 then fail("%s must be a finite number", where) end
  return x
end

-- whole(least): a whole number from `least` on.
local function whole(least)
  return function(x, where, fail)
    if type(x) ~= "number" or x ~= math.floor(x) or x < least or x >= 2 ^ 53 then
      fail("%s must be a whole number from %d on", where, least)
    end
    return x
  end
end

local function positive(x, where, fail)
  if type(x) ~= "number" or x - x ~= 0 or x <= 0 then fail("%s must be a positive number", where) end
  return x
end

local function flag(x, where, fail)
  if type(x) ~= "boolean" then fail("%s must be true or false", where) end
  return x
end

local function one_of(...)
  local known, line = {}, table.concat({ ... }, " or ")
  for _, name in ipairs { ... } do known[name] = true end
  return function(x, where, fail)
    if not known[x] then fail("%s must be %s", where, line) end
    return x
  end
end

-- list(of[, least, most]): a list of such elements.
local function list(of, least, most)
  return function(x, where, fail)
    if type(x) ~= "table" then fail("%s must be a list", where) end
    for k in pairs(x) do if type(k) ~= "number" then fail("%s must be a list", where) end end
    if #x < (least or 0) or #x > (most or math.huge) then
      fail("%s must have %s elements, got %d", where, least == most and tostring(least) or ("%d or more"):format(least or 0), #x)
    end
    local out = {}
    for i = 1, #x do out[i] = of(x[i], ("%s[%d]"):format(where, i), fail) end
    return out
  end
end

-- map(of): named elements.
local function map(of)
  return function(x, where, fail)
    if type(x) ~= "table" or #x > 0 then fail("%s must be an object", where) end
    local out = {}
    for k, v in pairs(x) do out[k] = of(v, where .. "." .. tostring(k), fail) end
    return out
  end
end

local function optional(of)
  return { optional = of }
end

-- object(fields): exactly these fields; an optional one may be missing or null.
local function object(fields)
  return function(x, where, fail)
    if type(x) ~= "table" or #x > 0 then fail("%s must be an object", where) end
    local out, at = {}, where == "" and "" or where .. "."
    for k in pairs(x) do if not fields[k] then fail("%s%s is unknown", at, tostring(k)) end end
    for k, of in pairs(fields) do
      local v = x[k]
      if type(of) == "table" then
        if v ~= nil and v ~= json.null then out[k] = of.optional(v, at .. k, fail) end
      else
        if v == nil then fail("%s%s is missing", at, k) end
        out[k] = of(v, at .. k, fail)
      end
    end
    return out
  end
end

-- -- The file ---------------------------------------------------------------------------------------------

local dims = whole(1)

local description = object {
  format = whole(1), input = list(dims, 3, 3), classes = dims, seed = optional(number),
  class_names = optional(list(text)),
  normalisation = optional(object { mean = list(number, 1), std = list(positive, 1) }),
  stages = list(text),
  exits = list(object { name = text, logits = text, stage = optional(dims) }, 1),
  loss_weights = list(positive, 1), vote_weights = list(positive, 1),
  leaves = list(object { name = text, kind = one_of("parameter", "buffer"), shape = list(dims, 0, 8), frozen = optional(flag) }),
  nodes = list(object { name = text, op = text, inputs = list(text), attrs = map(list(number, 0, 8)) }, 1),
}

local function expect_length(x, count, what, fail)
  if #x ~= count then fail("%s has %d elements, expected %d", what, #x, count) end
end

-- check(text, fail): the description in a network file's metadata; fail(format, ...) raises.
function schema.check(source, fail)
  local ok, raw = pcall(json.decode, source)
  if not ok then fail("%s", tostring(raw)) end
  if type(raw) ~= "table" or type(raw.format) ~= "number" then fail("format is missing") end
  if raw.format ~= schema.FORMAT then
    fail("the file's format is version %s, this program reads version %d", tostring(raw.format), schema.FORMAT)
  end
  local d = description(raw, "", fail)
  for _, k in ipairs { "loss_weights", "vote_weights" } do
    local good, why = pcall(weighting.check, d[k], #d.exits, k)
    if not good then fail("%s", why) end
  end
  if d.class_names then expect_length(d.class_names, d.classes, "class_names", fail) end
  if d.normalisation then
    for _, k in ipairs { "mean", "std" } do
      expect_length(d.normalisation[k], d.input[1], "normalisation." .. k, fail)
    end
  end
  return d
end

return schema
