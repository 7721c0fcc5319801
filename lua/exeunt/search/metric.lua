-- metric.lua: numbers in a run's documents by path: "vote.val_top1", "exits.1.test_top1", "accuracy" (of a plain table that a
-- recipe returned, the document's "values"). A constraint is "PATH <= NUMBER" or "PATH >= NUMBER". It reads documents that
-- JSON gave (null is json.null there); it reads no files.

local core = require "exeunt.core"
local json = require "exeunt.report.json"
local options = require "exeunt.options"

local metric = {}

-- What lies at the path below t; nil where nothing does. A key may itself hold points.
local function lookup(t, path)
  if type(t) ~= "table" then return nil end
  local direct = t[path]
  if direct == nil and path:match "^%d+$" then direct = t[tonumber(path)] end
  if direct ~= nil then return direct end
  local at = path:find(".", 1, true)
  while at do
    local key = path:sub(1, at - 1)
    local below = t[key]
    if below == nil and key:match "^%d+$" then below = t[tonumber(key)] end
    local found = below ~= nil and lookup(below, path:sub(at + 1))
    if found then return found end
    at = path:find(".", at + 1, true)
  end
end

-- get(doc, path): a finite number; or nil, why not, in words that follow "its result" or "the line", and whether no number is meant
-- to be there (NaN is a number that failed, as are infinite ones, which a run.json names beside their null: `infinite`).
function metric.get(doc, path)
  local x = lookup(doc.values, path)
  if x == nil then x = lookup(doc, path) end
  if type(x) == "number" and x == x and math.abs(x) < math.huge then return x end
  if x == nil then return nil, ("has no %s"):format(path), true end
  if x == json.null or type(x) == "number" then
    local sign = type(doc.infinite) == "table" and doc.infinite[path:gsub("^values%.", "")] or "NaN"
    return nil, ("has %s = %s"):format(path, type(x) == "number" and x == x and tostring(x) or sign), false
  end
  return nil, ("has at %s no number but a %s"):format(path, type(x)), true
end

-- What a document says of itself, not of how good it is.
local aside = { seed = true, knobs = true, environment = true, subsets = true, cells = true, step = true, epoch = true }

local function collect(t, prefix, list)
  for key, x in pairs(t) do
    local path = prefix .. tostring(key)
    if type(x) == "number" then list[#list + 1] = path
    elseif type(x) == "table" then collect(x, path .. ".", list) end
  end
end

-- names(doc): the paths of its numbers, sorted.
function metric.names(doc)
  local list = {}
  for key, x in pairs(doc) do
    if not aside[key] then collect({ [key] = x }, "", list) end
  end
  for i, path in ipairs(list) do list[i] = path:match "^values%.(.+)$" or path end
  table.sort(list)
  return list
end

local SHOWN = 8                             -- names in a message

local function quoted(list)
  for i, name in ipairs(list) do list[i] = "'" .. name .. "'" end
  return (#list > 1 and table.concat(list, ", ", 1, #list - 1) .. " or " or "") .. list[#list]
end

-- suggest(doc, path): "; did you mean 'vote.val_top1'?" for a path that leads to no number of doc, or what numbers it has.
function metric.suggest(doc, path)
  local names, related, plain = metric.names(doc), {}, {}
  local near = options.nearest(path, names)
  if near then return ("; did you mean '%s'?"):format(near) end
  for _, name in ipairs(names) do
    local listed = name:find "%.%d"
    if not listed then plain[#plain + 1] = name end
    if not listed and ("." .. name .. "."):find("." .. path .. ".", 1, true) then related[#related + 1] = name end
  end
  if #related > 0 and #related <= SHOWN then return ("; did you mean %s?"):format(quoted(related)) end
  if #plain == 0 then return "; there is no number in it" end
  local more = #plain - SHOWN
  return ("; it has %s%s"):format(table.concat(plain, ", ", 1, math.min(#plain, SHOWN)), more > 0 and (" and %d more"):format(more) or "")
end

-- constraint(text): { path, sense, bound, text }.
function metric.constraint(text)
  local path, sense, bound = tostring(text):match "^%s*(%S+)%s*([<>]=)%s*(%S+)%s*$"
  if not path or not tonumber(bound) then
    core.raise("study: constraints are texts like \"pruned.macs <= 1e6\" (<= or >=), got %q", tostring(text))
  end
  return { path = path, sense = sense, bound = tonumber(bound), text = text }
end

-- excess(constraint, x): at most 0 where it holds.
function metric.excess(c, x)
  if c.sense == "<=" then return x - c.bound end
  return c.bound - x
end

return metric
