-- difference.lua: what differs between two documents of one study, in words: "lr was log(0.0001, 0.1), is log(1e-05, 0.1); width is
-- new". It decides nothing about what may differ: study.lua does.

local json = require "exeunt.report.json"
local options = require "exeunt.options"

local difference = {}

local MOST = 4                              -- differences that are named; of more, how many there are

local function number(x) return ("%.14g"):format(x) end

local function shown(x)
  if type(x) == "number" then return number(x) end
  return (json.encode(x):gsub('"', ""))
end

local function list_text(values)
  local items = {}
  for i, x in ipairs(values) do items[i] = shown(x) end
  return table.concat(items, ", ")
end

-- A knob of a space's document as a study writes it: "log(0.0001, 0.1)", "int(8, 64, step 8)", "choice(a, b) only where x = 1 or 2".
local function dist_text(k)
  local inside = k.kind == "choice" and list_text(k.values) or number(k.low) .. ", " .. number(k.high)
  if k.step then inside = inside .. ", step " .. number(k.step) end
  if k.log and k.kind == "int" then inside = inside .. ", log" end
  local conditions = {}
  for i, parent in ipairs(options.sorted_keys(k.only or {})) do
    local values = {}
    for j, value in ipairs(k.only[parent]) do values[j] = shown(value) end
    conditions[i] = ("%s = %s"):format(parent, table.concat(values, " or "))
  end
  local name = k.kind == "real" and (k.log and "log" or "uniform") or k.kind
  return ("%s(%s)%s"):format(name, inside, #conditions > 0 and " only where " .. table.concat(conditions, " and ") or "")
end

local function assignments(t)
  local parts = {}
  for i, name in ipairs(options.sorted_keys(t)) do parts[i] = ("%s=%s"):format(name, shown(t[name])) end
  return table.concat(parts, " ")
end

-- For each part of a document: its pieces as { name = text }; the name "" is the part itself.
local pieces = {}

function pieces.space(space)
  local out = {}
  for _, k in ipairs(space.knobs or {}) do out[k.name] = dist_text(k) end
  return out
end

function pieces.objective(list)
  local texts = {}
  for i, each in ipairs(list) do
    local direction, path = next(each)
    texts[i] = direction .. " " .. path
  end
  return { [""] = table.concat(texts, ", ") }
end

function pieces.fixed(fixed)
  local out = {}
  for name, value in pairs(fixed) do out[name] = shown(value) end
  return out
end

function pieces.points(list)
  local out = {}
  for i, point in ipairs(list) do out[("point %d"):format(i)] = assignments(point) end
  return out
end

function pieces.constraints(list) return { [""] = table.concat(list, ", ") } end

-- A sampler or a stopper: its name, and its options.
function pieces.sampler(x)
  local out = { [""] = x.name }
  for name, value in pairs(x.options or {}) do out[name] = shown(value) end
  return out
end

pieces.stop = pieces.sampler

local function scalar(x) return { [""] = shown(x) } end

-- What became of a piece; many: there are several of it.
local function sentence(name, was, is, many)
  local subject = name == "" and "" or name .. " "
  if name ~= "" and not was then return ("%sis %s, was not there"):format(subject, is) end
  if name ~= "" and not is then return ("%swas %s, is not there"):format(subject, was) end
  return ("%s%s %s, %s %s"):format(subject, many and "were" or "was", was or "not given", many and "are" or "is", is or "not given")
end

-- of(part, before, now): the words for one part of a document, as it was and as it is (plain, without JSON's nulls; nil: not given).
function difference.of(part, before, now)
  local as = pieces[part] or scalar
  local was, is = before ~= nil and as(before) or {}, now ~= nil and as(now) or {}
  local named = (part == "sampler" or part == "stop") and was[""] ~= is[""]           -- another one: its options are another's too
  local all, out = {}, {}
  for _, t in ipairs { was, is } do
    for name in pairs(t) do all[name] = true end
  end
  for _, name in ipairs(options.sorted_keys(all)) do
    local empty = was[name] == "" and is[name] == nil or is[name] == "" and was[name] == nil
    if was[name] ~= is[name] and not empty and (name == "" or not named) then
      out[#out + 1] = sentence(name, was[name] ~= "" and was[name] or nil, is[name] ~= "" and is[name] or nil, part == "constraints")
    end
  end
  local more = #out - MOST
  if more > 0 then out[MOST + 1] = ("and %d more"):format(more) end
  return table.concat(out, "; ", 1, math.min(#out, MOST + 1))
end

return difference
