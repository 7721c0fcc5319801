-- tpe.lua: the tree-structured Parzen estimator (Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011) in its
-- multivariate form (Falkner et al., "BOHB", ICML 2018). Of the trials seen, the best are the good ones; `candidates` points are
-- drawn from the density of the good ones (parzen.lua) and that one is taken at which it exceeds the density of all others most.
--     the first `startup`   quasi-random points, until so many trials have ended with a value
--     good                  a share of the usable trials, at most 25, by history.lua's order: failed ones are never good, stopped and
--                           infeasible ones follow the others; with several objectives by fronts, then by crowding (pareto.lua)
--     running trials        count as not good (constant liar: Ginsbourger et al. 2010), so that workers keep away from each other
-- In a space of numbers alone the good ones weigh by how much better they are than the best of the others, and bells are narrow; where
-- there are choices more is left to chance, since a choice that began badly is otherwise not come back to (chosen on test functions:
-- bench/search.lua). In a finite space no point is proposed twice, and it is used up when all have been.

local core = require "exeunt.core"
local options = require "exeunt.options"
local history = require "exeunt.search.history"
local pareto = require "exeunt.search.pareto"
local Parzen = require "exeunt.search.parzen"
local Random = require "exeunt.search.samplers.random"
local Sobol = require "exeunt.search.samplers.sobol"
local Stream = require "exeunt.search.stream"

local Tpe = {}
Tpe.__index = Tpe

local MOST_GOOD = 25
local SEARCHED = 1000                       -- points of a finite space that are looked through for one that is new

-- Share of the good ones, whether they are weighed, and the bells' least width (parzen.lua).
local narrow = { share = 0.15, weighed = true, least = 0.5 }
local wide = { share = 0.1, weighed = false, least = 1.4 }

-- -- What is derived from the trials -----------------------------------------------------------------------------

-- A trial as a row: its rank, its coordinates, in a finite space its key.
local function row_of(trial, ask, kept)
  local class, a, b = history.rank(trial, ask.directions)
  local row = { number = trial.number, class = class, a = a, b = b, x = Parzen.encode(kept.shape, trial.params),
                key = kept.size < math.huge and ask.space:key(trial.params) or nil, finish = trial.finish, state = trial.state }
  if class == history.FEASIBLE and #ask.directions > 1 then
    row.losses = {}
    for i = 1, #ask.directions do row.losses[i] = history.loss(trial, ask.directions, i) end
  end
  return row
end

-- What the cache keeps of a space: its shape and size, and the rows of finished trials, which do not change any more.
local function kept_of(ask)
  local cache = ask.cache or {}
  local kept = cache.tpe
  if not kept or kept.space ~= ask.space or kept.directions ~= table.concat(ask.directions, " ") then
    kept = { space = ask.space, directions = table.concat(ask.directions, " "), shape = Parzen.shape(ask.space),
             size = ask.space:size(), rows = {}, places = {} }
    cache.tpe = kept
  end
  return kept
end

-- The row of a trial, kept from before where the trial is finished: it does not change then.
local function renewed(trial, ask, kept)
  local row = kept.rows[trial.number]
  if not row or not trial.finish or row.finish ~= trial.finish or row.state ~= trial.state then
    row = row_of(trial, ask, kept)
    kept.rows[trial.number] = row
  end
  row.trial = trial.finish and trial or nil
  return row
end

-- rows(ask, kept): those of ended and of running trials, in order of number. A trial that is the very table that stood at this
-- place before, finished, is not looked at again: most of the time of ten thousand trials.
local function rows_of(ask, kept)
  local rows, running, places = {}, {}, kept.places
  for i, trial in ipairs(ask.trials) do
    local row = places[i]
    if not row or row.trial ~= trial then
      row = trial.params and renewed(trial, ask, kept) or nil
      places[i] = row
    end
    if row then
      local list = row.state == "running" and running or rows
      list[#list + 1] = row
    end
  end
  return rows, running
end

-- Whether one of the rows is of the point with that key.
local function known(key, rows, running)
  for _, list in ipairs { rows, running } do
    for _, row in ipairs(list) do
      if row.key == key then return true end
    end
  end
  return false
end

-- Whether every point of a finite space has been tried or is running.
local function used_up(kept, rows, running)
  if #rows + #running < kept.size then return false end
  local keys, count = {}, 0
  for _, list in ipairs { rows, running } do
    for _, row in ipairs(list) do
      if not keys[row.key] then keys[row.key], count = true, count + 1 end
    end
  end
  return count >= kept.size
end

-- -- Good and bad ------------------------------------------------------------------------------------------------

-- The `count` best rows in order, by insertion: few of many.
local function best(rows, count)
  local list = {}
  for _, row in ipairs(rows) do
    local n = #list
    if n < count or history.before(row, list[n]) then
      local i = n < count and n + 1 or n
      while i > 1 and history.before(row, list[i - 1]) do
        list[i] = list[i - 1]
        i = i - 1
      end
      list[i] = row
    end
  end
  return list
end

-- The same for several objectives: whole fronts, then the loneliest of the next; those that are not feasible and complete follow.
local function best_fronts(rows, count)
  local points, owners, rest = {}, {}, {}
  for _, row in ipairs(rows) do
    if row.losses then points[#points + 1], owners[#owners + 1] = row.losses, row
    else rest[#rest + 1] = row end
  end
  local list = {}
  for _, front in ipairs(pareto.fronts(points, count)) do
    local crowding = pareto.crowding(points, front)
    table.sort(front, function(a, b)
      if crowding[a] ~= crowding[b] then return crowding[a] > crowding[b] end
      return owners[a].number < owners[b].number
    end)
    for _, i in ipairs(front) do
      if #list < count then list[#list + 1] = owners[i] end
    end
  end
  for _, row in ipairs(best(rest, count - #list)) do list[#list + 1] = row end
  return list
end

-- The weights of the good rows: how much better each is than the best of the others, with the mean 1; equal where not all are plain.
local function weights_of(good, other)
  local weights, sum = {}, 0
  local plain = other and other.class == history.FEASIBLE
  for i, row in ipairs(good) do
    plain = plain and row.class == history.FEASIBLE
    weights[i] = plain and other.a - row.a or 0
    sum = sum + weights[i]
  end
  for i = 1, #good do weights[i] = plain and sum > 0 and sum < math.huge and weights[i] * #good / sum or 1 end
  return weights
end

local function ones(n)
  local list = {}
  for i = 1, n do list[i] = 1 end
  return list
end

-- The densities of the good trials and of the others.
local function densities(ask, kept, rows, usable, running)
  local rule = narrow
  for _, dim in ipairs(kept.shape) do
    if dim.kind == "choice" then rule = wide end
  end
  local several = #ask.directions > 1
  local count = math.min(math.ceil(rule.share * usable), MOST_GOOD, usable)
  local list = (several and best_fronts or best)(rows, count + 1)
  local other = list[count + 1]
  list[count + 1] = nil
  local is_good, good, bad = {}, {}, {}
  for i, row in ipairs(list) do is_good[row.number], good[i] = true, row.x end
  for _, row in ipairs(rows) do
    if not is_good[row.number] then bad[#bad + 1] = row.x end
  end
  for _, row in ipairs(running) do bad[#bad + 1] = row.x end
  local weights = rule.weighed and not several and weights_of(list, other) or ones(#good)
  return Parzen.new(kept.shape, good, weights, rule.least), Parzen.new(kept.shape, bad, ones(#bad), 1)
end

-- -- The sampler -------------------------------------------------------------------------------------------------

-- The first of a list of points that is new; in a finite space where none is, one found by looking on from a random place.
local function new_one(ask, kept, rows, running, list)
  if kept.size == math.huge then return list[1] end
  for _, params in ipairs(list) do
    if not known(ask.space:key(params), rows, running) then return params end
  end
  local start = Stream.new(ask.seed, "search/tpe/unused", ask.number):integer(kept.size)
  for i = 0, math.min(kept.size, SEARCHED) - 1 do
    local params = ask.space:nth((start + i) % kept.size)
    if not known(ask.space:key(params), rows, running) then return params end
  end
  return list[1]
end

-- Points drawn from the good ones' density, the most promising first.
local function candidates(self, ask, good, bad)
  local stream, list = Stream.new(ask.seed, "search/tpe", ask.number), {}
  for i = 1, self.options.candidates do
    local params, x = good:sample(ask.space, stream)
    list[i] = { params = params, score = good:density(x) - bad:density(x), i = i }
  end
  table.sort(list, function(a, b)
    if a.score ~= b.score then return a.score > b.score end
    return a.i < b.i
  end)
  for i, c in ipairs(list) do list[i] = c.params end
  return list
end

function Tpe:suggest(ask)
  local kept = kept_of(ask)
  local rows, running = rows_of(ask, kept)
  if used_up(kept, rows, running) then return nil end
  local usable = 0
  for _, row in ipairs(rows) do
    if row.class < history.FAILED then usable = usable + 1 end
  end
  if usable < self.options.startup then
    local source = #ask.space.names <= Sobol.dimensions and Sobol or Random
    return new_one(ask, kept, rows, running, { source.draw(ask.space, ask.seed, ask.number) })
  end
  return new_one(ask, kept, rows, running, candidates(self, ask, densities(ask, kept, rows, usable, running)))
end

-- new { startup = 10 trials, candidates = 24, lag = }
function Tpe.new(given)
  local o = options.check("sampler.tpe", given, { startup = 10, candidates = 24, lag = options.optional })
  for _, name in ipairs { "startup", "candidates" } do
    local x = o[name]
    if type(x) ~= "number" or x ~= math.floor(x) or x < 1 then
      core.raise("sampler.tpe: %s must be a whole number from 1 on, got %s", name, options.shown(x))
    end
  end
  return setmetatable({ name = "tpe", options = o, lag = history.lag("sampler.tpe", o.lag) }, Tpe)
end

return Tpe
