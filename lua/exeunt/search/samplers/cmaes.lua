-- cmaes.lua: evolution of a normal distribution over the unit cube of the knobs (Hansen, "The CMA evolution strategy: a tutorial",
-- arXiv 1604.00772, with its default constants and negative weights). For spaces of numbers alone: choices and conditions are
-- refused; whole numbers and steps are searched as if they were continuous, and rounded.
--     generation 0   `population` quasi-random points; the distribution begins at the weighted mean of the better half
--     trial n        mean + sigma B D z, z drawn by (seed, n), from the distribution after all whole generations that it sees
-- The distribution is rebuilt from the trials: those that ended, in order of number, `population` at a time; each group moves it,
-- whoever proposed its points (Hansen, "Injecting external solutions into CMA-ES", arXiv 1110.4181: far ones are pulled in).
-- Points that are not in the cube are drawn again, at last clipped. Failed and infeasible trials are the worst of their group.

local core = require "exeunt.core"
local options = require "exeunt.options"
local history = require "exeunt.search.history"
local Sobol = require "exeunt.search.samplers.sobol"
local Stream = require "exeunt.search.stream"
local sqrt, log, floor = math.sqrt, math.log, math.floor

local Cmaes = {}
Cmaes.__index = Cmaes

local TRIES = 100                           -- draws of a point before it is clipped

-- -- Linear algebra of small symmetric matrices: lists of rows ---------------------------------------------------

local function identity(n)
  local m = {}
  for i = 1, n do
    m[i] = {}
    for j = 1, n do m[i][j] = i == j and 1 or 0 end
  end
  return m
end

-- One turn of Jacobi's method: makes a[p][q] zero; v gathers the turns.
local function turn(a, v, p, q, n)
  local theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
  local t = (theta >= 0 and 1 or -1) / (math.abs(theta) + sqrt(theta * theta + 1))
  local c = 1 / sqrt(t * t + 1)
  local s = t * c
  for k = 1, n do a[k][p], a[k][q] = c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q] end
  for k = 1, n do a[p][k], a[q][k] = c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k] end
  for k = 1, n do v[k][p], v[k][q] = c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q] end
end

-- eigen(m): a list of the eigenvalues of a symmetric matrix and its eigenvectors as columns (Jacobi's cyclic method).
function Cmaes.eigen(m)
  local n, a, v = #m, {}, identity(#m)
  for i = 1, n do a[i] = { unpack(m[i]) } end
  for _ = 1, 50 do
    local off, all = 0, 0
    for i = 1, n do
      for j = 1, n do
        all = all + a[i][j] ^ 2
        if i ~= j then off = off + a[i][j] ^ 2 end
      end
    end
    if off <= 1e-28 * all then break end
    for p = 1, n - 1 do
      for q = p + 1, n do
        if math.abs(a[p][q]) > 1e-300 then turn(a, v, p, q, n) end
      end
    end
  end
  local values = {}
  for i = 1, n do values[i] = a[i][i] end
  return values, v
end

-- -- The strategy ------------------------------------------------------------------------------------------------

-- constants(n, population): table 1 of the tutorial.
local function constants(n, population)
  local k, raw = { n = n, population = population, parents = floor(population / 2), weights = {} }, {}
  local sums = { { 0, 0 }, { 0, 0 } }       -- of positive and negative weights: sum, sum of squares
  for i = 1, population do
    raw[i] = log((population + 1) / 2) - log(i)
    local s = sums[i <= k.parents and 1 or 2]
    s[1], s[2] = s[1] + raw[i], s[2] + raw[i] ^ 2
  end
  local mu, mu_minus = sums[1][1] ^ 2 / sums[1][2], sums[2][1] ^ 2 / sums[2][2]
  k.mu = mu
  k.c_sigma = (mu + 2) / (n + mu + 5)
  k.d_sigma = 1 + 2 * math.max(0, sqrt((mu - 1) / (n + 1)) - 1) + k.c_sigma
  k.c_c = (4 + mu / n) / (n + 4 + 2 * mu / n)
  k.c_1 = 2 / ((n + 1.3) ^ 2 + mu)
  k.c_mu = math.min(1 - k.c_1, 2 * (mu - 2 + 1 / mu) / ((n + 2) ^ 2 + mu))
  k.expected = sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))
  local down = math.min(1 + k.c_1 / k.c_mu, 1 + 2 * mu_minus / (mu + 2), (1 - k.c_1 - k.c_mu) / (n * k.c_mu))
  for i = 1, population do k.weights[i] = i <= k.parents and raw[i] / sums[1][1] or down * raw[i] / -sums[2][1] end
  return k
end
Cmaes.constants = constants

local function zeros(n)
  local list = {}
  for i = 1, n do list[i] = 0 end
  return list
end

local function length(x)
  local sum = 0
  for _, v in ipairs(x) do sum = sum + v * v end
  return sqrt(sum)
end

-- B D^power B^T y
local function through(state, y, power)
  local n, out = #y, zeros(#y)
  for j = 1, n do
    local along = 0
    for i = 1, n do along = along + state.vectors[i][j] * y[i] end
    along = along * state.scales[j] ^ power
    for i = 1, n do out[i] = out[i] + state.vectors[i][j] * along end
  end
  return out
end

local function decompose(state)
  local values, vectors = Cmaes.eigen(state.covariance)
  local scales = {}
  for i, value in ipairs(values) do scales[i] = sqrt(math.max(value, 1e-20)) end
  state.scales, state.vectors = scales, vectors
  return state
end

-- start(n, mean, sigma): a distribution that has seen nothing.
function Cmaes.start(n, mean, sigma)
  return decompose { generation = 0, mean = mean, sigma = sigma, covariance = identity(n), path_sigma = zeros(n), path_c = zeros(n) }
end

-- The steps of the ranked points from the mean in units of sigma, those too far pulled in, and their lengths by the distribution.
local function steps_of(k, state, points)
  local far = sqrt(k.n) + 2 * k.n / (k.n + 2)
  local steps, lengths = {}, {}
  for r, x in ipairs(points) do
    local y = {}
    for i = 1, k.n do y[i] = (x[i] - state.mean[i]) / state.sigma end
    local mahalanobis = length(through(state, y, -1))
    if mahalanobis > far then
      for i = 1, k.n do y[i] = y[i] * far / mahalanobis end
    end
    steps[r], lengths[r] = y, math.min(mahalanobis, far)
  end
  return steps, lengths
end

-- The covariance after a generation: by the path (rank one) and the steps (rank mu); a bad step counts by its length.
local function adapt(k, state, steps, lengths, path_c, stalled)
  local n, sum = k.n, 0
  for i = 1, k.population do sum = sum + k.weights[i] end
  local keep = 1 + k.c_1 * stalled * k.c_c * (2 - k.c_c) - k.c_1 - k.c_mu * sum
  local covariance = {}
  for i = 1, n do
    covariance[i] = {}
    for j = 1, n do
      local x = keep * state.covariance[i][j] + k.c_1 * path_c[i] * path_c[j]
      for r, y in ipairs(steps) do
        local w = k.weights[r]
        if w < 0 then w = w * n / math.max(lengths[r] ^ 2, 1e-12) end
        x = x + k.c_mu * w * y[i] * y[j]
      end
      covariance[i][j] = x
    end
  end
  for i = 1, n do
    for j = 1, i - 1 do covariance[i][j] = covariance[j][i] end
  end
  return covariance
end

-- first(k, points, sigma): the distribution after generation 0, whose points are best first: their weighted mean, round.
function Cmaes.first(k, points, sigma)
  local mean = zeros(k.n)
  for r = 1, k.parents do
    for i = 1, k.n do mean[i] = mean[i] + k.weights[r] * points[r][i] end
  end
  return Cmaes.start(k.n, mean, sigma)
end

-- advance(k, state, points): the distribution after a generation of points, best first.
function Cmaes.advance(k, state, points)
  local n, generation = k.n, state.generation + 1
  local steps, lengths = steps_of(k, state, points)
  local mean, move, path_sigma, path_c = {}, zeros(n), {}, {}
  for r = 1, k.parents do
    for i = 1, n do move[i] = move[i] + k.weights[r] * steps[r][i] end
  end
  local whitened = through(state, move, -1)
  for i = 1, n do
    mean[i] = math.max(0, math.min(state.mean[i] + state.sigma * move[i], 1))
    path_sigma[i] = (1 - k.c_sigma) * state.path_sigma[i] + sqrt(k.c_sigma * (2 - k.c_sigma) * k.mu) * whitened[i]
  end
  local long = length(path_sigma)
  local going = long / sqrt(1 - (1 - k.c_sigma) ^ (2 * generation)) < (1.4 + 2 / (n + 1)) * k.expected and 1 or 0
  for i = 1, n do
    path_c[i] = (1 - k.c_c) * state.path_c[i] + going * sqrt(k.c_c * (2 - k.c_c) * k.mu) * move[i]
  end
  local sigma = state.sigma * math.exp(math.min(1, k.c_sigma / k.d_sigma * (long / k.expected - 1)))
  return decompose { generation = generation, mean = mean, sigma = math.max(1e-12, math.min(sigma, 1)), path_sigma = path_sigma,
                     path_c = path_c, covariance = adapt(k, state, steps, lengths, path_c, 1 - going) }
end

-- -- The sampler -------------------------------------------------------------------------------------------------

local function check(space)
  for _, name in ipairs(space.names) do
    local dist = space.dists[name]
    if dist.kind == "choice" then core.raise("sampler.cmaes: only for numbers, but %s is a choice; take sampler.tpe", name) end
    if dist.only then core.raise("sampler.cmaes: %s exists only under another knob's value; take sampler.tpe", name) end
  end
end

-- The ended trials a generation at a time, each as { numbers, losses as { class, a, b }, points }.
local function generations(ask, population)
  local list, group = {}, nil
  for _, trial in ipairs(ask.trials) do
    if trial.state ~= "running" and trial.state ~= "paused" and trial.params then
      if not group or #group == population then
        group = {}
        list[#list + 1] = group
      end
      group[#group + 1] = trial
    end
  end
  if group and #group < population then list[#list] = nil end
  return list
end

-- A generation's points in the unit cube, best first.
local function ranked(ask, group)
  local rows = {}
  for i, trial in ipairs(group) do
    local class, a, b = history.rank(trial, ask.directions)
    rows[i] = { class = class, a = a, b = b, number = trial.number, trial = trial }
  end
  table.sort(rows, history.before)
  local points = {}
  for i, row in ipairs(rows) do
    points[i] = {}
    for j, name in ipairs(ask.space.names) do points[i][j] = ask.space.dists[name]:to_unit(row.trial.params[name]) end
  end
  return points
end

-- Whether a cached generation was made of these very trials. A finished trial does not change.
local function same(known, group)
  if not known then return false end
  for i, trial in ipairs(group) do
    if known.numbers[i] ~= trial.number or known.values[i] ~= (trial.values and trial.values[1] or false) then return false end
  end
  return true
end

-- The distribution after the generations that the ask sees; nil before the first.
local function rebuilt(self, ask, k)
  local cache = ask.cache or {}
  local kept = cache.cmaes
  if not kept or kept.space ~= ask.space or kept.population ~= k.population or kept.direction ~= ask.directions[1] then
    kept = { space = ask.space, population = k.population, direction = ask.directions[1], list = {} }
    cache.cmaes = kept
  end
  local state, fresh = nil, true
  for g, group in ipairs(generations(ask, k.population)) do
    fresh = fresh and same(kept.list[g], group)
    if not fresh then
      local points = ranked(ask, group)
      local numbers, values = {}, {}
      for i, trial in ipairs(group) do numbers[i], values[i] = trial.number, trial.values and trial.values[1] or false end
      state = state and Cmaes.advance(k, state, points) or Cmaes.first(k, points, self.options.sigma)
      kept.list[g] = { numbers = numbers, values = values, state = state }
    end
    state = kept.list[g].state
  end
  return state
end

-- A point of the distribution inside the cube, by number.
local function draw(state, ask, n)
  local stream, x = Stream.new(ask.seed, "search/cmaes", ask.number), {}
  for _ = 1, TRIES do
    local z, inside = {}, true
    for i = 1, n do z[i] = state.scales[i] * stream:normal() end
    for i = 1, n do
      local y = 0
      for j = 1, n do y = y + state.vectors[i][j] * z[j] end
      x[i] = state.mean[i] + state.sigma * y
      inside = inside and x[i] >= 0 and x[i] <= 1
    end
    if inside then break end
  end
  return x
end

function Cmaes:suggest(ask)
  if #ask.directions > 1 then
    core.raise("sampler.cmaes: for one objective, the study has %d; take sampler.nsga2 or sampler.tpe", #ask.directions)
  end
  check(ask.space)
  local n = #ask.space.names
  local k = constants(n, self.options.population or 4 + floor(3 * log(n)))
  local state = rebuilt(self, ask, k)
  if not state then
    if n > Sobol.dimensions then core.raise("sampler.cmaes: at most %d knobs, the space has %d", Sobol.dimensions, n) end
    return Sobol.draw(ask.space, ask.seed, ask.number)
  end
  local x, params = draw(state, ask, n), {}
  for i, name in ipairs(ask.space.names) do params[name] = ask.space.dists[name]:from_unit(x[i]) end
  return params
end

-- new { population = 4 + floor(3 ln knobs), sigma = 0.15 of each knob's range, lag = }
function Cmaes.new(given)
  local o = options.check("sampler.cmaes", given, { population = options.optional, sigma = 0.15, lag = options.optional })
  local p = o.population
  if p and (type(p) ~= "number" or p ~= floor(p) or p < 4) then
    core.raise("sampler.cmaes: population must be a whole number from 4 on, got %s", options.shown(p))
  end
  if type(o.sigma) ~= "number" or not (o.sigma > 0 and o.sigma <= 1) then
    core.raise("sampler.cmaes: sigma must be above 0 and at most 1, got %s", options.shown(o.sigma))
  end
  return setmetatable({ name = "cmaes", options = o, lag = history.lag("sampler.cmaes", o.lag) }, Cmaes)
end

return Cmaes
