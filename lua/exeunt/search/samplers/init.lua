-- samplers: how the next point is chosen, by name: ex.sampler.tpe { ... }. A sampler is
--     { name, options, lag, independent, suggest = function(self, ask) -> params, or nil where the space is used up }
--     ask = { space, seed, number, directions = { "maximize"|"minimize", ... }, trials, cache }       number: of its points, from 0
-- and gives the same answer to the same ask, always: it keeps no state but what ask.cache holds to save time. `trials` are those
-- that it may see, in order of number; `independent` ones look at none. With `lag = L` trial n is to see the trials up to n - L.
-- One of `trials` is { number, state = "complete"|"stopped"|"paused"|"failed"|"running", params = { knob = value, ... }, values = one
-- for each objective (of complete and stopped ones, else nil), steps = { { step, value }, ... }, constraints (each at most 0 where it
-- is kept), error, seconds }; of a running one number, state and params are known.
-- A plain function(ask) -> params is a sampler too, as one that goes on from the best of what is minimised:
--     sampler = function(ask)
--       local best
--       for _, t in ipairs(ask.trials) do if t.values and (not best or t.values[1] < best.values[1]) then best = t end end
--       return { lr = best and best.params.lr * 0.7 or 0.5 }
--     end
-- What it prints goes to standard error: in a search to the worker's runs/STUDY/worker-N.err. Where it gives nil the search ends.

local core = require "exeunt.core"
local options = require "exeunt.options"

local samplers = {}
local known = { "cmaes", "grid", "nsga2", "random", "sobol", "tpe" }

for _, name in ipairs(known) do samplers[name] = require("exeunt.search.samplers." .. name).new end       -- itself, so that help() finds it

local Own = { name = "function", options = {} }
Own.__index = Own
function Own:suggest(ask) return self.f(ask) end

-- of(x): the sampler that x is or names: "tpe", { tpe = { startup = 5 } }, a sampler, a function; nil: TPE.
function samplers.of(x)
  if x == nil then x = "tpe" end
  if type(x) == "function" then return setmetatable({ f = x }, Own) end
  if type(x) == "table" and type(x.suggest) == "function" then return x end
  local name, given = options.one_named("sampler", x)
  for _, each in ipairs(known) do
    if each == name then return samplers[name](given) end
  end
  core.raise("sampler: no sampler '%s'%s", tostring(name), options.suggest(name, known))
end

-- check(sampler, space, directions): raises where it cannot search that space, as it would at the first trial. A function is not asked.
function samplers.check(sampler, space, directions)
  if sampler.name == "function" then return end
  sampler:suggest { space = space, seed = 0, number = 0, directions = directions, trials = {}, cache = {} }
end

return options.module("ex.sampler", samplers)
