-- parzen.lua: the density of a set of points of a space, by kernels: one for each point, a product over its knobs, and one that is
-- even over the whole space. In the unit interval of each knob a kernel is
--     line     a normal bell cut off at 0 and 1 (continuous knobs, and whole numbers of many values)
--     table    the same bell's share of each cell (whole numbers and steps of up to 64 values)
--     choice   more for the point's own value, the same less for each other
-- A knob that a point lacks has an even kernel there, so that points of all branches of a conditional space stand in one sum,
-- which stays a density: a knob is drawn and counted only where it exists. Densities are relative to the even one.
-- Multivariate kernels: Falkner, Klein, Hutter, "BOHB", ICML 2018; their widths: Watanabe, "Tree-structured Parzen estimator:
-- understanding its algorithm components", arXiv 2304.11127.

local core = require "exeunt.core"
local ffi = core.ffi
local exp, log, sqrt, floor = math.exp, math.log, math.sqrt, math.floor

local Parzen = {}
Parzen.__index = Parzen

local NONE = 0 / 0                          -- the coordinate of a knob that does not exist
local MOST_CELLS, MOST_SPACED, GRID = 64, 100, 512
local doubles, ints = ffi.typeof "double[?]", ffi.typeof "int32_t[?]"

-- The normal distribution's cumulative function, by the complementary error function's Chebyshev fit (Press et al., Numerical
-- Recipes, 6.2: relative error below 1.2e-7 everywhere).
local function cumulative(x)
  local z = math.abs(x) / sqrt(2)
  local t = 2 / (2 + z)
  local y = t * exp(-z * z - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * (0.27886807
            + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))))
  return x > 0 and 1 - y / 2 or y / 2
end
Parzen.cumulative = cumulative

-- shape(space): how each knob is seen: { name, kind, cells } in the order of the space's names.
function Parzen.shape(space)
  local shape = {}
  for i, name in ipairs(space.names) do
    local dist = space.dists[name]
    local cells = dist:cells()
    local kind = dist.kind == "choice" and "choice" or (cells <= MOST_CELLS and not dist.log) and "table" or "line"
    shape[i] = { name = name, dist = dist, kind = kind, cells = cells }
  end
  return shape
end

-- encode(shape, params): a list of coordinates: on a line the place in the unit interval, else the cell from 0; NaN: not there.
function Parzen.encode(shape, params)
  local x = {}
  for i, dim in ipairs(shape) do
    local value = params[dim.name]
    if value == nil then x[i] = NONE
    elseif dim.kind == "line" then x[i] = dim.dist:to_unit(value)
    else x[i] = dim.dist:index(value) or NONE end
  end
  return x
end

-- -- Kernels -----------------------------------------------------------------------------------------------------

-- The width of a knob's bells: by the spread of the points about their middle (Scott's rule in so many dimensions), no narrower than
-- a share of the even spacing of so many points.
local function width(self, values, n)
  local count, sum, squares = 0, 0, 0
  for j = 0, n - 1 do
    local x = values[j]
    if x == x then count, sum, squares = count + 1, sum + x, squares + x * x end
  end
  if count == 0 then return 1 end
  local spread = sqrt(math.max(squares / count - (sum / count) ^ 2, 0))
  return math.max(spread * count ^ (-1 / (#self.shape + 4)), self.least / math.min(count + 1, MOST_SPACED))
end

-- mass(sigma, n): the logarithm of the part of a bell at x that lies inside the unit interval, as a function of x; for many points
-- interpolated from a grid (to about 1e-5).
local function mass(sigma, n)
  local function exact(x) return log(cumulative((1 - x) / sigma) - cumulative(-x / sigma)) end
  if n <= GRID then return exact end
  local at = doubles(GRID + 2)
  for i = 0, GRID + 1 do at[i] = exact(i / GRID) end
  return function(x)
    local i = floor(x * GRID)
    return at[i] + (x * GRID - i) * (at[i + 1] - at[i])
  end
end

-- A line's bells: density of kernel j at x = exp(constant_j - slope_j (x - middle_j)^2).
local function line(self, _, values, n)
  local sigma = width(self, values, n)
  local k = { middle = values, sigma = sigma, constant = doubles(n + 1), slope = doubles(n + 1) }
  local base, slope, inside = -log(sigma * sqrt(2 * math.pi)), 1 / (2 * sigma * sigma), mass(sigma, n)
  for j = 0, n do
    local x = values[j]
    if x == x then
      k.constant[j], k.slope[j] = base - inside(x), slope
    else
      values[j] = 0                         -- slope 0: even, wherever its middle
    end
  end
  return k
end

-- A table of each cell's share of each cell's bell; the last row is even.
local function cells_table(self, dim, values, n)
  local cells = dim.cells
  local unit = doubles(n + 1)
  for j = 0, n - 1 do unit[j] = (values[j] + 0.5) / cells end
  local sigma = math.max(width(self, unit, n), 0.5 / cells)
  local k = { cells = cells, row = ints(n + 1), share = doubles((cells + 1) * cells), logarithm = doubles((cells + 1) * cells) }
  for own = 0, cells do
    local total, before = 0, nil
    for cell = 0, cells do
      local at = own < cells and cumulative((cell - own - 0.5) / cells / sigma) or cell / cells
      if before then
        k.share[own * cells + cell - 1] = math.max(at - before, 1e-12)
        total = total + k.share[own * cells + cell - 1]
      end
      before = at
    end
    for cell = 0, cells - 1 do
      local i = own * cells + cell
      k.share[i] = k.share[i] / total
      k.logarithm[i] = log(k.share[i] * cells)
    end
  end
  for j = 0, n do k.row[j] = values[j] == values[j] and values[j] or cells end
  return k
end

-- Choices: an observation of the point's own value beside a part of one of each value, which shrinks with the points.
local function choice(_, dim, values, n)
  local cells = dim.cells
  local other = 1 / (n + 1)
  local total = 1 + cells * other
  local k = { cells = cells, own = (1 + other) / total, row = ints(n + 1) }
  k.log_own, k.log_other = log(k.own * cells), log(other / total * cells)
  for j = 0, n do k.row[j] = values[j] == values[j] and values[j] or -1 end
  return k
end

local makers = { line = line, table = cells_table, choice = choice }

-- new(shape, points, weights, least): the density of a list of encoded points with a weight each, and of the even kernel with the
-- weight 1; `least` is the bells' least width in units of the points' even spacing.
function Parzen.new(shape, points, weights, least)
  local n = #points
  local self = setmetatable({ shape = shape, n = n, least = least, kernels = {}, weight = doubles(n + 1), log_weight = doubles(n + 1) },
                            Parzen)
  local total = 1
  for j = 1, n do total = total + weights[j] end
  for j = 0, n do
    local weight = (j < n and weights[j + 1] or 1) / total
    self.weight[j] = weight
    self.log_weight[j] = j > 0 and weight == self.weight[j - 1] and self.log_weight[j - 1] or log(weight)
  end
  for i, dim in ipairs(shape) do
    local values = doubles(n + 1)
    for j = 0, n - 1 do values[j] = points[j + 1][i] end
    values[n] = NONE
    self.kernels[i] = makers[dim.kind](self, dim, values, n)
  end
  return self
end

-- -- Density -----------------------------------------------------------------------------------------------------

local function add_line(sums, k, x, n)
  local middle, constant, slope = k.middle, k.constant, k.slope
  for j = 0, n do
    local away = x - middle[j]
    sums[j] = sums[j] + constant[j] - slope[j] * away * away
  end
end

local function add_table(sums, k, x, n)
  local row, logarithm, cells = k.row, k.logarithm, k.cells
  for j = 0, n do sums[j] = sums[j] + logarithm[row[j] * cells + x] end
end

local function add_choice(sums, k, x, n)
  local row, own, other = k.row, k.log_own, k.log_other
  for j = 0, n do
    local r = row[j]
    if r >= 0 then sums[j] = sums[j] + (r == x and own or other) end
  end
end

local adders = { line = add_line, table = add_table, choice = add_choice }

-- density(x): the logarithm of the density at an encoded point.
function Parzen:density(x)
  local n = self.n
  self.sums = self.sums or doubles(n + 1)
  local sums = self.sums
  ffi.copy(sums, self.log_weight, (n + 1) * 8)
  for i, dim in ipairs(self.shape) do
    if x[i] == x[i] then adders[dim.kind](sums, self.kernels[i], x[i], n) end
  end
  local most = -math.huge
  for j = 0, n do most = math.max(most, sums[j]) end
  local total = 0
  for j = 0, n do
    local below = sums[j] - most
    if below > -25 then total = total + exp(below) end
  end
  return most + log(total)
end

-- -- Sampling ----------------------------------------------------------------------------------------------------

-- A draw of kernel j of a knob, as a coordinate.
local function draw_line(k, j, stream)
  if k.slope[j] == 0 then return stream:uniform() end
  while true do                             -- the middle lies inside, so at least every fourth draw or so does
    local x = k.middle[j] + k.sigma * stream:normal()
    if x >= 0 and x < 1 then return x end
  end
end

local function draw_table(k, j, stream)
  local u, row = stream:uniform(), k.row[j]
  for cell = 0, k.cells - 2 do
    u = u - k.share[row * k.cells + cell]
    if u < 0 then return cell end
  end
  return k.cells - 1
end

local function draw_choice(k, j, stream)
  local u, own = stream:uniform(), k.row[j]
  if own < 0 then return floor(u * k.cells) end
  if u < k.own or k.cells == 1 then return own end
  local cell = math.min(floor((u - k.own) / (1 - k.own) * (k.cells - 1)), k.cells - 2)
  return cell < own and cell or cell + 1
end

local drawers = { line = draw_line, table = draw_table, choice = draw_choice }

-- sample(space, stream): params and their encoded point.
function Parzen:sample(space, stream)
  local u, j = stream:uniform(), 0
  while j < self.n and u >= self.weight[j] do u, j = u - self.weight[j], j + 1 end
  local x, place = {}, 0
  for i = 1, #self.shape do x[i] = NONE end
  local params = space:make(function(name, dist)
    repeat place = place + 1 until self.shape[place].name == name
    local kind = self.shape[place].kind
    local at = drawers[kind](self.kernels[place], j, stream)
    local value = kind == "line" and dist:from_unit(at) or kind ~= "line" and dist:at(at)
    x[place] = kind == "line" and dist:cells() < math.huge and dist:to_unit(value) or at
    return value
  end)
  return params, x
end

return Parzen
