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

-- A stopper of one's own, with all that is asked of one.
local function own(x)
  for name, kind in pairs { name = "string", options = "table", promote = "function", limit = "function" } do
    if type(x[name]) ~= kind then
      core.raise("stop: a stopper of one's own has name, options, decide, promote and limit (help(ex.stopper)); its %s is %s, not a %s",
                 name, x[name] == nil and "missing" or "a " .. type(x[name]), kind)
    end
  end
  return x
end

-- of(x): the stopper that x is or names: "median", { asha = { reduction = 4 } }, a stopper; nil: none.
function stoppers.of(x)
  if x == nil then return nil end
  if type(x) == "table" and type(x.decide) == "function" then return own(x) end
  if type(x) == "function" then
    core.raise("stop: it must be one of ex.stopper (%s), or a table as help(ex.stopper) describes, got a function",
               table.concat(known, ", "))
  end
  local name, given = options.one_named("stop", x)
  for _, each in ipairs(known) do
    if each == name then return stoppers[name](given) end
  end
  core.raise("stop: no stopper '%s'%s", tostring(name), options.suggest(name, known))
end

return options.module("ex.stopper", stoppers)
