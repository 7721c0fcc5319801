-- search_functions.lua: the functions that searches are compared on, all to be minimised, and the box each is searched in: eight of
-- the usual ones (Surjanovic and Bingham's virtual library of simulation experiments has their formulas and lowest values; boxes
-- are off centre where the lowest point would lie in the middle), `mixed`, a choice, a logarithm, a whole number and a knob that
-- exists under one choice only, and `table`, the validation error of real trainings (table/study.lua), looked up: three choices, and a
-- learning rate that is searched as a logarithm and rounded to the nearest that was tried.

local ex = require "exeunt"
local json = require "exeunt.report.json"
local Space = require "exeunt.search.space"
local cos, exp, pi, sqrt = math.cos, math.exp, math.pi, math.sqrt

local functions = { names = { "sphere", "rosenbrock", "rastrigin", "ackley", "branin", "hartmann6", "styblinski", "griewank", "mixed",
                              "table" } }

local function sum(x, f)
  local total = 0
  for i, v in ipairs(x) do total = total + f(v, i) end
  return total
end

local plain = {}

function plain.sphere(x) return sum(x, function(v) return v * v end) end

function plain.rosenbrock(x)
  return sum(x, function(v, i) return x[i + 1] and 100 * (x[i + 1] - v * v) ^ 2 + (1 - v) ^ 2 or 0 end)
end

function plain.rastrigin(x) return 10 * #x + sum(x, function(v) return v * v - 10 * cos(2 * pi * v) end) end

function plain.ackley(x)
  local a, b = sqrt(plain.sphere(x) / #x), sum(x, function(v) return cos(2 * pi * v) end) / #x
  return -20 * exp(-0.2 * a) - exp(b) + 20 + exp(1)
end

function plain.branin(x)
  return (x[2] - 5.1 / (4 * pi ^ 2) * x[1] ^ 2 + 5 / pi * x[1] - 6) ^ 2 + 10 * (1 - 1 / (8 * pi)) * cos(x[1]) + 10
end

local A = { { 10, 3, 17, 3.5, 1.7, 8 }, { 0.05, 10, 17, 0.1, 8, 14 }, { 3, 3.5, 1.7, 10, 17, 8 }, { 17, 8, 0.05, 10, 0.1, 14 } }
local P = { { 1312, 1696, 5569, 124, 8283, 5886 }, { 2329, 4135, 8307, 3736, 1004, 9991 },
            { 2348, 1451, 3522, 2883, 3047, 6650 }, { 4047, 8828, 8732, 5743, 1091, 381 } }

function plain.hartmann6(x)
  return -sum({ 1, 1.2, 3, 3.2 }, function(alpha, i)
    return alpha * exp(-sum(x, function(v, j) return A[i][j] * (v - P[i][j] * 1e-4) ^ 2 end))
  end)
end

function plain.styblinski(x) return sum(x, function(v) return v ^ 4 - 16 * v * v + 5 * v end) / 2 end

function plain.griewank(x)
  local product = 1
  for i, v in ipairs(x) do product = product * cos(v / sqrt(i)) end
  return 1 + plain.sphere(x) / 4000 - product
end

local function box(low, high, n)
  local dists = {}
  for i = 1, n do dists["x" .. i] = ex.uniform(low, high) end
  return dists
end

local boxes = { sphere = box(-5, 10, 5), rosenbrock = box(-5, 10, 5), rastrigin = box(-4, 5.12, 5), ackley = box(-20, 32.768, 5),
                branin = { x1 = ex.uniform(-5, 10), x2 = ex.uniform(0, 15) }, hartmann6 = box(0, 1, 6), styblinski = box(-5, 5, 5),
                griewank = box(-300, 600, 5) }

for name, dists in pairs(boxes) do
  local space = Space.new(dists)
  functions[name] = { space = space, f = function(params)
    local x = {}
    for i = 1, #space.names do x[i] = params["x" .. i] end
    return plain[name](x)
  end }
end

local kinds = { sgd = { -1, 4, 0 }, adam = { -3, 3, 0.05 }, rms = { -3.5, 5, 0.2 } }

functions.mixed = {
  choices = true,
  space = Space.new { kind = ex.choice { "sgd", "adam", "rms" }, lr = ex.log(1e-5, 1), depth = ex.int(1, 6),
                      momentum = ex.only(ex.uniform(0, 0.99), { kind = "sgd" }) },
  f = function(p)
    local at, deep, more = unpack(kinds[p.kind])
    return (math.log10(p.lr) - at) ^ 2 + 0.1 * (p.depth - deep) ^ 2 + more + (p.kind == "sgd" and 2 * (p.momentum - 0.9) ^ 2 or 0)
  end,
}

-- -- Recorded results ------------------------------------------------------------------------------------------------

local WIDTHS = { "8,8,8", "8,16,32", "16,32,32" }
local results, rates                        -- the error by "lr weighting batch widths"; the learning rates, ascending

local function key(rate, p) return ("%.17g %s %d %s"):format(rate, p.weighting, p.batch, p.widths) end

local function read()
  results, rates = {}, {}
  for line in io.lines "bench/table/results.jsonl" do
    local row = json.decode(line)
    if rates[#rates] ~= row.lr then rates[#rates + 1] = row.lr end
    row.widths = table.concat(row.widths, ",")
    results[key(row.lr, row)] = 1 - row.val_top1
  end
end

local function nearest(lr)
  local found = rates[1]
  for _, rate in ipairs(rates) do
    if math.abs(math.log(rate / lr)) < math.abs(math.log(found / lr)) then found = rate end
  end
  return found
end

functions.table = {
  choices = true,
  space = Space.new { lr = ex.log(3e-4, 6e-2), weighting = ex.choice { "asc", "desc", "mix", "unif" }, batch = ex.choice { 16, 32, 64 },
                      widths = ex.choice(WIDTHS) },
  f = function(p)
    if not results then read() end
    return results[key(nearest(p.lr), p)]
  end,
}

return functions
