-- load.lua: ex.load(path): the network in a network file, or the best network of a run's folder, ready for use: forward,
-- evaluate, prune, train again. It needs neither the recipe nor the data set.

local core = require "exeunt.core"
local file = require "exeunt.file"
local netfile = require "exeunt.netfile"

local BEST = "best.safetensors"

-- load(path): a network. For a folder, its best.safetensors.
return function(path)
  if type(path) ~= "string" then core.raise("load: expected the path of a network file or a run, got %s", type(path)) end
  local kind = file.kind(path)
  if not kind then core.raise("load: there is no %s", path) end
  if kind == "folder" then
    local best = path .. "/" .. BEST
    if not file.kind(best) then
      core.raise("load: the folder %s holds no %s: it is no run, or no training in it has ended an epoch", path, BEST)
    end
    path = best
  end
  return (netfile.load(path))
end
