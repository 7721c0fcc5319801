-- metric.lua: numbers in a run's documents by path: "vote.val_top1", "exits.1.test_top1", "accuracy" (of a plain table that a
-- recipe returned, the document's "values"). A constraint is "PATH <= NUMBER" or "PATH >= NUMBER". It reads documents that
-- JSON gave (null is json.null there); it reads no files.

local core = require "exeunt.core"
local json = require "exeunt.report.json"

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

-- get(doc, path): a finite number; or nil and why not, in words that follow "its result" or "the line".
function metric.get(doc, path)
  local x = lookup(doc.values, path)
  if x == nil then x = lookup(doc, path) end
  if type(x) == "number" and x == x and math.abs(x) < math.huge then return x end
  if x == nil then return nil, ("has no %s"):format(path) end
  if x == json.null then return nil, ("has %s = NaN"):format(path) end
  return nil, ("has at %s no number but a %s"):format(path, type(x))
end

-- constraint(text): { path, sense, bound, text }.
function metric.constraint(text)
  local path, sense, bound = tostring(text):match "^%s*(%S+)%s*([<>]=)%s*(%S+)%s*$"
  if not path or not tonumber(bound) then
    core.raise("study: constraints are texts like \"pruned.macs <= 1e6\", got %q", tostring(text))
  end
  return { path = path, sense = sense, bound = tonumber(bound), text = text }
end

-- excess(constraint, x): at most 0 where it holds.
function metric.excess(c, x)
  if c.sense == "<=" then return x - c.bound end
  return c.bound - x
end

return metric
