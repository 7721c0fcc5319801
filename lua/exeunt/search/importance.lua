-- importance.lua: which knobs matter: PED-ANOVA (Watanabe, Bansal, Hutter, "PED-ANOVA: efficiently quantifying hyperparameter
-- importance in arbitrary subspaces", IJCAI 2023). A knob matters as far as its values among the best trials are spread
-- differently from those among all, by the Pearson divergence
--     sum over cells of (p_best / p_all - 1)^2 p_all
-- of one-dimensional densities: for choices the frequencies, for numbers bells of Scott's width over up to 64 cells. The best are
-- a tenth of the trials, at least the square root of their count. It sees no interplay of knobs, and what it says holds for
-- reaching the best tenth. Which trials count: complete ones, and for the first objective those that were stopped or paused, as
-- worse than all complete ones and the further they came the better. Nothing is made of the value of a step beside a final one: the
-- measure asks only who is among the best. (Others count complete trials alone; those that a stopper let through are no sample of
-- the space, so that what it sorted out early would look as if it did not matter.) What breaks a constraint is worse than both.
-- A knob that exists only under another's value is judged among the trials that have it alone, the best of them against all of them:
-- that it is there or not is the other's doing. Where fewer than 8 have it, it has no share.
-- It refuses fewer than 8 usable trials.

local core = require "exeunt.core"
local history = require "exeunt.search.history"
local options = require "exeunt.options"
local Parzen = require "exeunt.search.parzen"

local FEWEST, CELLS = 8, 64

-- The usable trials, best first, and how many of them did not run to their end.
local function ordered(trials, direction, index)
  local rows, early = {}, 0
  for _, trial in ipairs(trials) do
    local one = { state = trial.state, steps = index == 1 and trial.steps or nil, constraints = trial.constraints,
                  values = trial.values and { trial.values[index] } or nil }
    local class, a, b = history.rank(one, { direction })
    if trial.params and class < history.FAILED and (index == 1 or trial.state == "complete") then
      rows[#rows + 1] = { class = class, a = a, b = b, number = trial.number, params = trial.params }
      early = early + (trial.state ~= "complete" and 1 or 0)
    end
  end
  table.sort(rows, history.before)
  return rows, early
end

-- The values of a knob of the rows that have it, best first: places in the unit interval, or cells of a choice.
local function places(rows, name, dist)
  local list = {}
  for _, row in ipairs(rows) do
    local value = row.params[name]
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

-- The divergence of a knob between the best of these values, a share of them, and all.
local function divergence(all, share, dist)
  local best = { unpack(all, 1, math.ceil(math.max(share * #all - 1e-9, math.sqrt(#all)))) }
  local cells = dist.kind == "choice" and dist:cells() or math.min(dist:cells(), CELLS)
  local density = dist.kind == "choice" and frequencies or bells
  local p, q, sum = density(best, cells), density(all, cells), 0
  for c = 1, cells do sum = sum + (p[c] / q[c] - 1) ^ 2 * q[c] end
  return sum
end

-- importance(space, trials, direction[, index = 1[, { share = 0.1 }]]) -> { { name, share, trials }, ... }, the largest first, with the
-- sum 1; trials: how many of the usable ones have the knob; where they are too few its share is 0. And how many are usable; how
-- many of those were stopped or paused.
-- index: which objective's values; share: of the trials that are the best.
local function importance(_, space, trials, direction, index, given)
  local o = options.check("importance", given, { share = 0.1 })
  local rows, early = ordered(trials, direction, index or 1)
  if #rows < FEWEST then
    core.raise("importance: %d usable trial%s too few; it takes %d that ended with a value", #rows, #rows == 1 and " is" or "s are", FEWEST)
  end
  local list, total, judged = {}, 0, 0
  for i, name in ipairs(space.names) do
    local dist = space.dists[name]
    local all = places(rows, name, dist)
    list[i] = { name, #all >= FEWEST and divergence(all, o.share, dist) or 0, #all }
    total, judged = total + list[i][2], judged + (#all >= FEWEST and 1 or 0)
  end
  for _, each in ipairs(list) do each[2] = total > 0 and each[2] / total or each[3] >= FEWEST and 1 / judged or 0 end
  table.sort(list, function(a, b)
    if a[2] ~= b[2] then return a[2] > b[2] end
    return a[1] < b[1]
  end)
  return list, #rows, early
end

local FEW = 50                              -- below so many trials chance moves the shares by tens of per cent

-- notes(list, count, early): what the shares of a call leave open, as sentences.
local function notes(list, count, early)
  local out, few = {}, {}
  if early > 0 then
    out[1] = ("%d of the %d trials %s before %s end: %s as worse than the complete ones."):format(early, count,
      early == 1 and "was ended" or "were ended", early == 1 and "its" or "their", early == 1 and "it counts" or "they count")
  end
  if count < FEW then out[#out + 1] = ("Of fewer than %d trials these shares are rough: chance can change their order."):format(FEW) end
  for _, each in ipairs(list) do
    if each[3] < FEWEST then few[#few + 1] = each[1] end
  end
  if #few > 0 then out[#out + 1] = ("Too few trials have %s to say: it takes %d."):format(table.concat(few, ", "), FEWEST) end
  return out
end

return setmetatable({ fewest = FEWEST, notes = notes }, { __call = importance })
