-- init.lua: `local ex = require "exeunt"`, the one table through which everything public is reached. A part is loaded when
-- it is first asked for, so that a start costs nothing. A name that does not exist is an error that suggests the nearest.

local options = require "exeunt.options"
local core = require "exeunt.core"

-- Each is the module exeunt.<name>.
local parts = { "cost", "data", "ensemble", "evaluate", "exits", "file", "graph", "load", "models", "network", "nn", "op",
                "optim", "paper", "plan", "prune", "recipe", "result", "schedule", "seed", "tensor", "train", "weighting",
                "weights" }

-- Made here.
local made = {
  -- ex.threads([n]) -> how many threads work; with n: sets it for plans made from now on.
  threads = function() return require("exeunt.plan").threads end,
  plot = function() return require("exeunt.report.plot") end,
  version = function() return core.ffi.string(core.C.ex_version()) end,
  report = function() return require "exeunt.search.step" end,
  study = function() return require "exeunt.search.study" end,
  sampler = function() return require "exeunt.search.samplers" end,
  stopper = function() return require "exeunt.search.stoppers" end,
}

-- Of searches' spaces (search/space.lua).
for _, name in ipairs { "uniform", "log", "int", "choice", "only" } do
  made[name] = function() return require("exeunt.search.space")[name] end
end

local is_part = {}
for _, name in ipairs(parts) do is_part[name] = true end

local function names()
  local list = { unpack(parts) }
  for name in pairs(made) do list[#list + 1] = name end
  table.sort(list)
  return list
end

return setmetatable({}, {
  __index = function(ex, name)
    local value
    if is_part[name] then value = require("exeunt." .. name)
    elseif made[name] then value = made[name]()
    else core.raise("ex has no '%s'%s", tostring(name), options.suggest(name, names())) end
    if type(value) == "table" and not (getmetatable(value) or {}).__index then options.module("ex." .. name, value) end
    rawset(ex, name, value)
    return value
  end,
  __newindex = function(_, name) core.raise("ex.%s: the engine's table is not for values of your own", tostring(name)) end,
  __names = names,                          -- for completion at the prompt
  __tostring = function(ex) return ("exeunt %s: ex.%s"):format(ex.version, table.concat(names(), ", ex.")) end,
})
