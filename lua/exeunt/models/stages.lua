-- models/stages.lua: options that say something of a model's stages.

local core = require "exeunt.core"
local layer = require "exeunt.nn.layer"

local stages = {}

-- list(where, name, x): x, a list of one or more whole numbers from 1 on.
function stages.list(where, name, x)
  if type(x) ~= "table" or #x == 0 then core.raise("%s: %s must be a list with a number for each stage", where, name) end
  for _, n in ipairs(x) do layer.count(where, name, n) end
  return x
end

-- each(where, name, x, count): a list of `count` numbers: x itself, or the number x for every stage.
function stages.each(where, name, x, count)
  if type(x) == "number" then
    local all = {}
    for i = 1, count do all[i] = layer.count(where, name, x) end
    return all
  end
  stages.list(where, name, x)
  if #x ~= count then core.raise("%s: %s has %d numbers, but there are %d stages", where, name, #x, count) end
  return x
end

-- ends(where, name, x, count): the set of the stages 1..count that an exit may follow: those in the list x, or all of them
-- if it is nil; the last one always.
function stages.ends(where, name, x, count)
  local set = { [count] = true }
  for i = 1, count do set[i] = set[i] or x == nil end
  for _, i in ipairs(x and stages.list(where, name, x) or {}) do
    if i > count then core.raise("%s: %s names stage %d, but there are %d", where, name, i, count) end
    set[i] = true
  end
  return set
end

return stages
