-- nsga2.lua: a genetic algorithm for several objectives (Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II",
-- IEEE Trans. Evol. Comput. 6, 2002). Generation g is the trials g * population .. (g + 1) * population - 1.
--     generation 0   quasi-random points (random ones beyond Sobol's dimensions)
--     later          parents are the `population` best of the parents before and the generation before, as far as those have
--                    ended: by front, then by crowding; infeasible ones after all feasible, by their violation
--     a child        two parents by tournaments; in `crossover` of the children each knob comes from the first or (half of the
--                    time) the other, on a line by simulated binary crossover (Deb and Agrawal 1995, eta 20); each knob mutates
--                    with the probability 1 / knobs: on a line by polynomial mutation (Deb and Goyal 1996, eta 20), else anew
-- A knob that exists in the child and in neither parent is drawn anew. Every draw is by (seed, number).

local core = require "exeunt.core"
local options = require "exeunt.options"
local history = require "exeunt.search.history"
local pareto = require "exeunt.search.pareto"
local Random = require "exeunt.search.samplers.random"
local Sobol = require "exeunt.search.samplers.sobol"
local Stream = require "exeunt.search.stream"

local Nsga2 = {}
Nsga2.__index = Nsga2

local ETA = 20

-- -- Selection ---------------------------------------------------------------------------------------------------

-- A trial as a parent: { number, params, losses or nil, violation }; nil where it has no usable values.
local function individual(trial, directions)
  if trial.state ~= "complete" or not trial.params then return nil end
  local losses = {}
  for i = 1, #directions do
    losses[i] = history.loss(trial, directions, i)
    if not losses[i] then return nil end
  end
  return { number = trial.number, params = trial.params, losses = losses, violation = history.violation(trial) }
end

local function placed(x, rank, crowding)
  return { number = x.number, params = x.params, losses = x.losses, violation = x.violation, rank = rank, crowding = crowding }
end

-- best(list, count): the `count` best, each with its rank and crowding; best front first.
local function best(list, count)
  local feasible, losses, rest, chosen = {}, {}, {}, {}
  for _, x in ipairs(list) do
    if x.violation > 0 then rest[#rest + 1] = x
    else feasible[#feasible + 1], losses[#losses + 1] = x, x.losses end
  end
  local fronts = pareto.fronts(losses, count)
  for rank, front in ipairs(fronts) do
    local crowding = pareto.crowding(losses, front)
    table.sort(front, function(a, b)
      if crowding[a] ~= crowding[b] then return crowding[a] > crowding[b] end
      return feasible[a].number < feasible[b].number
    end)
    for _, i in ipairs(front) do
      local x = feasible[i]
      if #chosen < count then
        chosen[#chosen + 1] = placed(x, rank, crowding[i])
      end
    end
  end
  table.sort(rest, function(a, b)
    if a.violation ~= b.violation then return a.violation < b.violation end
    return a.number < b.number
  end)
  for i = 1, math.min(#rest, count - #chosen) do
    chosen[#chosen + 1] = placed(rest[i], #fronts + i, 0)
  end
  return chosen
end

-- The ended trials of each generation: { [g] = list of individuals }, g from 0; and how many trials each has, to notice changes.
local function generations(ask, population, last)
  local list, counts = {}, {}
  for g = 0, last do list[g], counts[g] = {}, 0 end
  for _, trial in ipairs(ask.trials) do
    local g = math.floor(trial.number / population)
    if g <= last and trial.state ~= "running" and trial.state ~= "paused" then
      counts[g] = counts[g] + 1
      list[g][#list[g] + 1] = individual(trial, ask.directions)
    end
  end
  return list, counts
end

-- The parents of generation g + 1: what is left of all generations up to g. Kept in the cache while no more trials have ended.
local function parents(self, ask, last)
  local population, cache = self.options.population, ask.cache or {}
  local kept = cache.nsga2
  if not kept or kept.space ~= ask.space or kept.population ~= population then
    kept = { space = ask.space, population = population, parents = {}, counts = {} }
    cache.nsga2 = kept
  end
  local list, counts = generations(ask, population, last)
  local chosen, fresh = {}, true
  for g = 0, last do
    fresh = fresh and kept.counts[g] == counts[g]
    if not fresh then
      local pool = { unpack(chosen) }
      for _, x in ipairs(list[g]) do pool[#pool + 1] = x end
      kept.parents[g], kept.counts[g] = best(pool, population), counts[g]
    end
    chosen = kept.parents[g]
  end
  return chosen
end

-- -- Children ----------------------------------------------------------------------------------------------------

local function tournament(chosen, stream)
  local a, b = chosen[1 + stream:integer(#chosen)], chosen[1 + stream:integer(#chosen)]
  if a.rank ~= b.rank then return a.rank < b.rank and a or b end
  return a.crowding >= b.crowding and a or b
end

local function clipped(u) return math.max(0, math.min(u, 1)) end

-- A place between or beside two places of the unit interval, and a place near one.
local function crossed(a, b, stream)
  local u = stream:uniform()
  local beta = u <= 0.5 and (2 * u) ^ (1 / (ETA + 1)) or (1 / (2 * (1 - u))) ^ (1 / (ETA + 1))
  return clipped(((1 + beta) * a + (1 - beta) * b) / 2)
end

local function mutated(a, stream)
  local u = stream:uniform()
  if u < 0.5 then return clipped(a + ((2 * u) ^ (1 / (ETA + 1)) - 1)) end
  return clipped(a + (1 - (2 * (1 - u)) ^ (1 / (ETA + 1))))
end

-- A child of two parents.
local function child(self, ask, chosen)
  local stream = Stream.new(ask.seed, "search/nsga2", ask.number)
  local a, b = tournament(chosen, stream), tournament(chosen, stream)
  local crosses = stream:uniform() < self.options.crossover
  local chance = self.options.mutation or 1 / #ask.space.names
  return ask.space:make(function(name, dist)
    local own, other = a.params[name], b.params[name]
    if crosses and stream:uniform() < 0.5 then own, other = other, own end
    if own == nil then own, other = other, nil end
    if own == nil or dist.kind == "choice" and stream:uniform() < chance then return dist:from_unit(stream:uniform()) end
    if dist.kind == "choice" then return own end
    local u = dist:to_unit(own)
    if crosses and other ~= nil then u = crossed(u, dist:to_unit(other), stream) end
    if stream:uniform() < chance then u = mutated(u, stream) end
    return dist:from_unit(u)
  end)
end

function Nsga2:suggest(ask)
  local generation = math.floor(ask.number / self.options.population)
  local chosen = generation > 0 and parents(self, ask, generation - 1) or {}
  if #chosen < 2 then
    local source = #ask.space.names <= Sobol.dimensions and Sobol or Random
    return source.draw(ask.space, ask.seed, ask.number)
  end
  return child(self, ask, chosen)
end

-- new { population = 20, crossover = 0.9, mutation = 1 / knobs, lag = }
function Nsga2.new(given)
  local o = options.check("sampler.nsga2", given, { population = 20, crossover = 0.9, mutation = options.optional, lag = options.optional })
  if type(o.population) ~= "number" or o.population ~= math.floor(o.population) or o.population < 2 then
    core.raise("sampler.nsga2: population must be a whole number from 2 on, got %s", options.shown(o.population))
  end
  for _, name in ipairs { "crossover", "mutation" } do
    local x = o[name]
    if x ~= nil and (type(x) ~= "number" or not (x >= 0 and x <= 1)) then
      core.raise("sampler.nsga2: %s must be a share from 0 to 1, got %s", name, options.shown(x))
    end
  end
  return setmetatable({ name = "nsga2", options = o, lag = history.lag("sampler.nsga2", o.lag) }, Nsga2)
end

return Nsga2
