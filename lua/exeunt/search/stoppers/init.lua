-- stoppers: which trials end early, by name: ex.stopper.asha { ... }. A stopper is { name, options } with
--     decide(look) -> "go", "stop" or "pause"     after each reported step; look = { trial, trials, step, value, direction }
--     promote(trials, direction, over) -> number  of a paused trial to go on with before a new one is begun, or nil; over: none will be
--     limit(trial) -> step                        up to which the trial may run now, or nil
-- and is a pure function of what it is shown. A trial's steps are { { step, value }, ... }; the step just reported may be there.

local core = require "exeunt.core"
local options = require "exeunt.options"

local stoppers = {}
local known = { "asha", "hyperband", "median" }

for _, name in ipairs(known) do stoppers[name] = require("exeunt.search.stoppers." .. name).new end       -- itself, so that help() finds it

-- of(x): the stopper that x is or names: "median", { asha = { reduction = 4 } }, a stopper; nil: none.
function stoppers.of(x)
  if x == nil then return nil end
  if type(x) == "table" and type(x.decide) == "function" then return x end
  local name, given = options.one_named("stop", x)
  for _, each in ipairs(known) do
    if each == name then return stoppers[name](given) end
  end
  core.raise("stop: no stopper '%s'%s", tostring(name), options.suggest(name, known))
end

return setmetatable(stoppers, { __index = options.guide("ex.stopper", stoppers) })
