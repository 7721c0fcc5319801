-- searches.lua: a search in memory: asks a sampler, evaluates, and shows it the finished trials again.

local Space = require "exeunt.search.space"

local searches = {}

-- run(sampler, space, f, n[, o]): n trials one after the other; f(params) -> a value or a list of values.
-- o: seed = 1, directions = { "minimize" }, cache (false: none). -> the trials.
function searches.run(sampler, space, f, n, o)
  o = o or {}
  local trials, cache = {}, o.cache ~= false and {} or nil
  for number = 0, n - 1 do
    local params = sampler:suggest { space = space, seed = o.seed or 1, number = number, directions = o.directions or { "minimize" },
                                     trials = trials, cache = cache }
    if not params then break end
    local values = f(space:check(params))
    trials[number + 1] = { number = number, state = "complete", params = params, finish = number + 1,
                           values = type(values) == "table" and values or { values } }
  end
  return trials
end

-- best(trials): the least first value.
function searches.best(trials)
  local least = math.huge
  for _, trial in ipairs(trials) do least = math.min(least, trial.values[1]) end
  return least
end

-- mean_best(sampler, space, f, n, seeds): the mean over seeds of the best of n trials.
function searches.mean_best(sampler, space, f, n, seeds)
  local sum = 0
  for seed = 1, seeds do sum = sum + searches.best(searches.run(sampler, space, f, n, { seed = seed })) end
  return sum / seeds
end

-- keys(space, trials): their points as texts.
function searches.keys(space, trials)
  local list = {}
  for i, trial in ipairs(trials) do list[i] = space:key(trial.params) end
  return list
end

-- cube(n, dist): a space of n knobs x1, x2, ... with the same distribution.
function searches.cube(n, dist)
  local dists = {}
  for i = 1, n do dists["x" .. i] = dist end
  return Space.new(dists)
end

return searches
