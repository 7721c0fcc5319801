-- importance.lua: which knobs matter: PED-ANOVA (Watanabe, Bansal, Hutter, "PED-ANOVA: efficiently quantifying hyperparameter
-- importance in arbitrary subspaces", IJCAI 2023). A knob matters as far as its values among the best trials are spread
-- differently from those among all, by the Pearson divergence
--     sum over cells of (p_best / p_all - 1)^2 p_all
-- of one-dimensional densities: for choices the frequencies, for numbers bells of Scott's width over up to 64 cells. The best are
-- a tenth of the trials, at least the square root of their count. It sees no interplay of knobs, and what it says holds for
-- reaching the best tenth. A knob that exists only under another's value is judged where it exists, and counts by the share of
-- the best trials that have it. It refuses fewer than 8 usable trials.

local core = require "exeunt.core"
local history = require "exeunt.search.history"
local options = require "exeunt.options"
local Parzen = require "exeunt.search.parzen"

local FEWEST, CELLS = 8, 64

-- The usable trials, best first. Those that were stopped follow the complete ones; they count for the first objective alone.
local function ordered(trials, direction, index)
  local rows = {}
  for _, trial in ipairs(trials) do
    local one = { state = trial.state, steps = index == 1 and trial.steps or nil, constraints = trial.constraints,
                  values = trial.values and { trial.values[index] } or nil }
    local class, a, b = history.rank(one, { direction })
    if trial.params and class < history.FAILED and (index == 1 or trial.state == "complete") then
      rows[#rows + 1] = { class = class, a = a, b = b, number = trial.number, params = trial.params }
    end
  end
  table.sort(rows, history.before)
  return rows
end

-- The values of a knob among rows 1..n, those that have it: places in the unit interval, or cells of a choice.
local function places(rows, n, name, dist)
  local list = {}
  for i = 1, n do
    local value = rows[i].params[name]
    if value ~= nil then list[#list + 1] = dist.kind == "choice" and dist:index(value) or dist.kind ~= "choice" and dist:to_unit(value) end
  end
  return list
end

-- Frequencies of choices, with one observation more that is spread evenly.
local function frequencies(list, cells)
  local p = {}
  for c = 1, cells do p[c] = 1 / cells / (#list + 1) end
  for _, c in ipairs(list) do p[c + 1] = p[c + 1] + 1 / (#list + 1) end
  return p
end

-- Each cell's share of the bells of the places (Scott 1992: width 1.059 s n^(-1/5)), and of one observation spread evenly.
local function bells(list, cells)
  local n, sum, squares = #list, 0, 0
  for _, x in ipairs(list) do sum, squares = sum + x, squares + x * x end
  local spread = math.sqrt(math.max(squares / n - (sum / n) ^ 2, 0))
  local sigma = math.max(1.059 * spread * n ^ -0.2, 0.5 / cells)
  local p = {}
  for c = 1, cells do p[c] = 1 / cells / (n + 1) end
  for _, x in ipairs(list) do
    local first, last = Parzen.cumulative(-x / sigma), Parzen.cumulative((1 - x) / sigma)
    local before = first
    for c = 1, cells do
      local at = Parzen.cumulative((c / cells - x) / sigma)
      p[c] = p[c] + (at - before) / (last - first) / (n + 1)
      before = at
    end
  end
  return p
end

-- The divergence of a knob between the best `top` rows and all.
local function divergence(rows, top, name, dist)
  local best, all = places(rows, top, name, dist), places(rows, #rows, name, dist)
  if #best == 0 or #all < 2 then return 0 end
  local cells = dist.kind == "choice" and dist:cells() or math.min(dist:cells(), CELLS)
  local density = dist.kind == "choice" and frequencies or bells
  local p, q, sum = density(best, cells), density(all, cells), 0
  for c = 1, cells do sum = sum + (p[c] / q[c] - 1) ^ 2 * q[c] end
  return sum * #best / top
end

-- importance(space, trials, direction[, index = 1[, { share = 0.1 }]]) -> { { name, share }, ... }, the largest first, with the
-- sum 1. index: which objective's values; share: of the trials that are the best.
return function(space, trials, direction, index, given)
  local o = options.check("importance", given, { share = 0.1 })
  local rows = ordered(trials, direction, index or 1)
  if #rows < FEWEST then
    core.raise("importance: %d usable trials are too few; it takes %d that ended with a value", #rows, FEWEST)
  end
  local top = math.ceil(math.max(o.share * #rows - 1e-9, math.sqrt(#rows)))
  local list, total = {}, 0
  for i, name in ipairs(space.names) do
    list[i] = { name, divergence(rows, top, name, space.dists[name]) }
    total = total + list[i][2]
  end
  for _, pair in ipairs(list) do pair[2] = total > 0 and pair[2] / total or 1 / #list end
  table.sort(list, function(a, b)
    if a[2] ~= b[2] then return a[2] > b[2] end
    return a[1] < b[1]
  end)
  return list
end
