-- models/stages.lua: options that hold a number for each stage of a model.

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

return stages
