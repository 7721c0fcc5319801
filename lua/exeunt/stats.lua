-- stats.lua: what a handful of runs can say: mean, standard deviation, the 95 % interval of a mean, and the paired t test, by
-- Student's t distribution (Press et al., Numerical Recipes, 6.4: its tail is an incomplete beta function, here by Lentz's
-- continued fraction). It assumes that differences are about normal, as those of runs that differ in their seed are.

local core = require "exeunt.core"

local stats = {}

-- mean(list): nil for an empty one.
function stats.mean(list)
  local sum = 0
  for _, x in ipairs(list) do sum = sum + x end
  return #list > 0 and sum / #list or nil
end

-- deviation(list): the standard deviation of a sample (n - 1); nil for fewer than 2.
function stats.deviation(list)
  local mean, squares = stats.mean(list), 0
  for _, x in ipairs(list) do squares = squares + (x - mean) ^ 2 end
  return #list > 1 and math.sqrt(squares / (#list - 1)) or nil
end

-- -- Student's t -------------------------------------------------------------------------------------------------

-- ln of the gamma function for x > 0: Stirling's series, after x has been led past 15.
local function log_gamma(x)
  local shift = 0
  while x < 15 do
    shift = shift + math.log(x)
    x = x + 1
  end
  local r = 1 / (x * x)
  local series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / x
  return (x - 0.5) * math.log(x) - x + 0.5 * math.log(2 * math.pi) + series - shift
end

local TINY, CLOSE, MOST = 1e-300, 1e-15, 1000

-- The continued fraction of the incomplete beta function I_x(a, b).
local function beta_fraction(x, a, b)
  local function whole(v) return math.abs(v) < TINY and TINY or v end
  local c, d = 1, 1 / whole(1 - (a + b) * x / (a + 1))
  local h = d
  for m = 1, MOST do
    for odd = 0, 1 do
      local n = odd == 0 and m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                or -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
      d, c = 1 / whole(1 + n * d), whole(1 + n / c)
      h = h * c * d
      if odd == 1 and math.abs(c * d - 1) < CLOSE then return h end
    end
  end
  return h
end

-- I_x(a, b), regularised.
local function incomplete_beta(x, a, b)
  if x <= 0 or x >= 1 then return x <= 0 and 0 or 1 end
  local front = math.exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * math.log(x) + b * math.log(1 - x))
  if x < (a + 1) / (a + b + 2) then return front * beta_fraction(x, a, b) / a end
  return 1 - front * beta_fraction(1 - x, b, a) / b
end

-- two_sided(t, df): the probability that |T| >= |t|, with df degrees of freedom.
function stats.two_sided(t, df)
  if df < 1 then core.raise("stats.two_sided: degrees of freedom must be 1 or more, got %s", tostring(df)) end
  return incomplete_beta(df / (df + t * t), df / 2, 0.5)
end

-- quantile(p, df): the t that |T| exceeds with probability p (by bisection).
function stats.quantile(p, df)
  local low, high = 0, 1
  while stats.two_sided(high, df) > p do low, high = high, 2 * high end
  for _ = 1, 200 do
    local middle = (low + high) / 2
    if middle == low or middle == high then break end
    if stats.two_sided(middle, df) > p then low = middle else high = middle end
  end
  return (low + high) / 2
end

-- -- Of samples ----------------------------------------------------------------------------------------------------

-- interval(list): the mean and the half width of its 95 % interval; nil for the width of fewer than 2.
function stats.interval(list)
  local mean, deviation = stats.mean(list), stats.deviation(list)
  return mean, deviation and stats.quantile(0.05, #list - 1) * deviation / math.sqrt(#list)
end

-- paired(a, b): a[i] and b[i] belong together (the same seed): { mean, half, p, n }: the mean of a - b, the half width of its
-- 95 % interval, the probability of a mean at least so far from 0 where there is no difference, and how many pairs. half and p
-- are nil for fewer than 2; p is 1 where nothing differs, 0 where all differences are the same.
function stats.paired(a, b)
  if #a ~= #b then core.raise("stats.paired: %d numbers beside %d", #a, #b) end
  local gaps = {}
  for i = 1, #a do gaps[i] = a[i] - b[i] end
  local mean, half = stats.interval(gaps)
  local p
  if half then
    local deviation = stats.deviation(gaps)
    if deviation == 0 then p = mean == 0 and 1 or 0
    else p = stats.two_sided(mean / deviation * math.sqrt(#gaps), #gaps - 1) end
  end
  return { mean = mean, half = half, p = p, n = #gaps }
end

return stats
