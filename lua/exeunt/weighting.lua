-- weighting.lua: the weights a of the exits' losses and b of their votes, both positive, both with the sum 1.
-- A scheme is function(exits, epoch, metrics, state) -> a, b (two lists of #exits numbers), asked before each epoch. exits: the list of
-- the network's exits, { name, ... } each; metrics: the last epoch's record, nil before the first: loss, lr, loss_weights, vote_weights,
-- exits[i] = { loss, train_top1, and where validated val_top1, val_loss }, vote; state: a table of the scheme's own, kept in
-- checkpoints. With exits 1..E from shallow to deep
-- (Sarti, Lomurno, Matteucci 2023, table 1; exact fractions, the authors round to 4 decimals):
--     unif  a_i = b_i = 1/E            asc   a_i = b_i = i / (1 + ... + E)
--     desc  a_i = b_i = (E + 1 - i) / (1 + ... + E)            mix   a of desc, b of asc
-- It knows nothing of training: it gives numbers and checks those that others give.

local core = require "exeunt.core"
local options = require "exeunt.options"

local weighting = {}
local schemes = {}

local TOLERANCE = 1e-3                     -- of a sum of weights: the authors' four decimals pass

local function count(exits) return type(exits) == "number" and exits or #exits end

-- equal(E), ascending(E), descending(E): lists of E weights.
function weighting.equal(n)
  local w = {}
  for i = 1, n do w[i] = 1 / n end
  return w
end

function weighting.ascending(n)
  local w = {}
  for i = 1, n do w[i] = i / (n * (n + 1) / 2) end
  return w
end

function weighting.descending(n)
  local w = {}
  for i = 1, n do w[i] = (n + 1 - i) / (n * (n + 1) / 2) end
  return w
end

-- rescaled(list): the same proportions with the sum 1.
function weighting.rescaled(list)
  local sum, out = 0, {}
  for _, w in ipairs(list) do sum = sum + w end
  for i, w in ipairs(list) do out[i] = w / sum end
  return out
end

function schemes.unif(exits) return weighting.equal(count(exits)), weighting.equal(count(exits)) end
function schemes.asc(exits) return weighting.ascending(count(exits)), weighting.ascending(count(exits)) end
function schemes.desc(exits) return weighting.descending(count(exits)), weighting.descending(count(exits)) end
function schemes.mix(exits) return weighting.descending(count(exits)), weighting.ascending(count(exits)) end

-- check(list, n, what[, hint]): a copy of the list if it is n positive numbers with the sum 1. `hint` ends the last message.
function weighting.check(list, n, what, hint)
  if type(list) ~= "table" then core.raise("%s: expected a list of %d numbers, got %s", what, n, type(list)) end
  if #list ~= n then core.raise("%s: %d numbers for %d exits", what, #list, n) end
  local sum, copy = 0, {}
  for i, w in ipairs(list) do
    if type(w) ~= "number" or not (w > 0 and w < math.huge) then
      core.raise("%s: number %d must be positive, got %s", what, i, tostring(w))
    end
    sum, copy[i] = sum + w, w
  end
  if math.abs(sum - 1) > TOLERANCE then
    core.raise("%s: the numbers must sum to 1, they sum to %g%s", what, sum, hint or "")
  end
  return copy
end

local function named(name)
  if schemes[name] then return schemes[name] end
  core.raise("weighting: no scheme '%s'%s", tostring(name), options.suggest(name, options.sorted_keys(schemes)))
end

-- One side of { loss = ..., vote = ... }: a list, or the name of a scheme, of which `which` (1: a, 2: b) is taken.
local function side(x, which, what)
  if type(x) == "string" then
    local scheme = named(x)
    return function(exits) return (select(which, scheme(exits))) end
  end
  if type(x) ~= "table" then core.raise("weighting: %s must be a list of weights or a scheme's name, got %s", what, type(x)) end
  return function() return x end
end

local HINT = " (ex.weighting.rescaled scales them)"

-- of(x): the scheme that x names or describes, with its results checked: "mix", a function, or
-- { loss = {...} or name, vote = {...} or name }.
function weighting.of(x)
  local scheme = x
  if type(x) == "string" then
    scheme = named(x)
  elseif type(x) == "table" then
    local o = options.check("weighting", x, { loss = options.required, vote = options.required })
    local a, b = side(o.loss, 1, "loss"), side(o.vote, 2, "vote")
    scheme = function(exits) return a(exits), b(exits) end
  elseif type(x) ~= "function" then
    core.raise("weighting: expected a scheme's name, a function or { loss = {...}, vote = {...} }, got %s", type(x))
  end
  return function(exits, epoch, metrics, state)
    local a, b = scheme(exits, epoch, metrics, state)
    local n = count(exits)
    return weighting.check(a, n, "loss weights", HINT), weighting.check(b, n, "vote weights", HINT)
  end
end

-- ex.weighting.mix, ex.weighting["mix"]: the schemes by name; another name is an error that suggests the nearest.
return setmetatable(weighting, { __index = function(_, name) return named(name) end })
