-- parzen_test.lua: densities that integrate to one, values worked by hand, samples that follow them.

local lu = require "luaunit"
local ex = require "exeunt"
local Parzen = require "exeunt.search.parzen"
local Space = require "exeunt.search.space"
local Stream = require "exeunt.search.stream"

TestParzen = {}

local function ones(n)
  local list = {}
  for i = 1, n do list[i] = 1 end
  return list
end

local function estimate(space, points, least)
  local shape, list = Parzen.shape(space), {}
  for i, params in ipairs(points) do list[i] = Parzen.encode(shape, params) end
  return Parzen.new(shape, list, ones(#points), least or 1), shape
end

-- Abramowitz and Stegun, table 26.1.
function TestParzen.test_normal_distribution()
  for x, expected in pairs { [0] = 0.5, [1] = 0.8413447460, [-1] = 0.1586552539, [2] = 0.9772498681, [-4] = 3.167124183e-5 } do
    lu.assertAlmostEquals(Parzen.cumulative(x) / expected, 1, 2e-7)
  end
end

-- One point in the middle and the even kernel: the least width is a half; the bell's part inside is 0.6826895.
function TestParzen.test_density_by_hand()
  local density, shape = estimate(Space.new { x = ex.uniform(0, 1) }, { { x = 0.5 } })
  local function bell(x) return math.exp(-(x - 0.5) ^ 2 / 0.5) / (0.5 * math.sqrt(2 * math.pi)) / 0.6826894921 end
  for _, x in ipairs { 0.1, 0.5, 0.9 } do
    lu.assertAlmostEquals(math.exp(density:density(Parzen.encode(shape, { x = x }))), (bell(x) + 1) / 2, 1e-6)
  end
end

-- A choice of four with one point "a": other = 1/2, so "a" has (1 + 1/2) / 3 = 1/2 of its kernel, each other 1/6.
function TestParzen.test_choice_by_hand()
  local density, shape = estimate(Space.new { c = ex.choice { "a", "b", "c", "d" } }, { { c = "a" } })
  local function share(value) return math.exp(density:density(Parzen.encode(shape, { c = value }))) / 4 end
  lu.assertAlmostEquals(share "a", (1 / 2 + 1 / 4) / 2, 1e-12)
  lu.assertAlmostEquals(share "d", (1 / 6 + 1 / 4) / 2, 1e-12)
end

local function example()
  return Space.new { kind = ex.choice { "p", "q" }, n = ex.int(1, 6), x = ex.only(ex.uniform(0, 1), { kind = "p" }) }
end

local points = { { kind = "p", n = 2, x = 0.2 }, { kind = "p", n = 3, x = 0.3 }, { kind = "q", n = 6 } }

-- Over both branches, all cells and the line the density is one in the whole.
function TestParzen.test_it_is_a_density_over_a_conditional_space()
  local density, shape = estimate(example(), points)
  local sum, lines = 0, 200
  for n = 1, 6 do
    sum = sum + math.exp(density:density(Parzen.encode(shape, { kind = "q", n = n }))) / 12
    for i = 1, lines do
      sum = sum + math.exp(density:density(Parzen.encode(shape, { kind = "p", n = n, x = (i - 0.5) / lines }))) / 12 / lines
    end
  end
  lu.assertAlmostEquals(sum, 1, 1e-4)
end

function TestParzen.test_samples_follow_the_density()
  local space = example()
  local density, shape = estimate(space, points)
  local stream, counts, total = Stream.new(1, "samples", 0), {}, 4000
  for _ = 1, total do
    local params, x = density:sample(space, stream)
    lu.assertEquals(tostring(x[3]), tostring(Parzen.encode(shape, space:check(params))[3]))
    local cell = params.kind .. params.n
    counts[cell] = (counts[cell] or 0) + 1
  end
  for n = 1, 6 do
    local q = math.exp(density:density(Parzen.encode(shape, { kind = "q", n = n }))) / 12
    lu.assertAlmostEquals((counts["q" .. n] or 0) / total, q, 4 * math.sqrt(q / total))
  end
end

-- For many points what lies outside is interpolated; it stays a density.
function TestParzen.test_many_points()
  local space, list, stream = Space.new { x = ex.uniform(0, 1) }, {}, Stream.new(2, "many", 0)
  for i = 1, 700 do list[i] = { x = stream:uniform() ^ 2 } end
  local density, shape = estimate(space, list)
  local sum = 0
  for i = 1, 400 do sum = sum + math.exp(density:density(Parzen.encode(shape, { x = (i - 0.5) / 400 }))) / 400 end
  lu.assertAlmostEquals(sum, 1, 2e-4)
end

os.exit(lu.LuaUnit.run())
