-- sobol_test.lua: the published sequence, evenness before and after scrambling, seeds, conditions, the refusal.

local lu = require "luaunit"
local ex = require "exeunt"
local Space = require "exeunt.search.space"
local Sobol = require "exeunt.search.samplers.sobol"

TestSobol = {}

-- The first points of Joe and Kuo's sequence (new-joe-kuo-6) in dimensions 1, 2, 3, 10, 20 and 40.
function TestSobol.test_published_points()
  local expected = {
    [1] = { 0, 0.5, 0.75, 0.25, 0.375, 0.875, 0.625, 0.125, 0.1875, 0.6875, 0.9375, 0.4375 },
    [2] = { 0, 0.5, 0.25, 0.75, 0.375, 0.875, 0.125, 0.625, 0.3125, 0.8125, 0.0625, 0.5625 },
    [3] = { 0, 0.5, 0.25, 0.75, 0.625, 0.125, 0.875, 0.375, 0.9375, 0.4375, 0.6875, 0.1875 },
    [10] = { 0, 0.5, 0.75, 0.25, 0.625, 0.125, 0.375, 0.875, 0.3125, 0.8125, 0.5625, 0.0625 },
    [20] = { 0, 0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875, 0.3125, 0.8125, 0.0625, 0.5625 },
    [40] = { 0, 0.5, 0.25, 0.75, 0.875, 0.375, 0.625, 0.125, 0.5625, 0.0625, 0.8125, 0.3125 },
  }
  for dimension, list in pairs(expected) do
    for i, x in ipairs(list) do lu.assertEquals(Sobol.unit(i - 1, dimension), x, ("dimension %d, point %d"):format(dimension, i)) end
  end
end

-- The first 2^k points have one in each interval of 2^-k, in every dimension, scrambled or not.
function TestSobol.test_one_point_in_each_interval()
  for _, seed in ipairs { false, 1, 2 ^ 50 } do
    for dimension = 1, Sobol.dimensions do
      local seen = {}
      for number = 0, 63 do
        local cell = math.floor(64 * Sobol.unit(number, dimension, seed or nil, "k"))
        lu.assertNil(seen[cell])
        seen[cell] = true
      end
    end
  end
end

-- Scrambling keeps a net of base 2: of 64 points, one in each of 8 x 8 boxes of the first two dimensions.
function TestSobol.test_one_point_in_each_box()
  for seed = 1, 5 do
    local seen = {}
    for number = 0, 63 do
      local box = math.floor(8 * Sobol.unit(number, 1, seed, "a")) * 8 + math.floor(8 * Sobol.unit(number, 2, seed, "b"))
      lu.assertNil(seen[box])
      seen[box] = true
    end
  end
end

function TestSobol.test_same_ask_same_answer_and_other_seeds_other_points()
  local space, seen, sobol = Space.new { x = ex.uniform(0, 1), y = ex.only(ex.int(1, 3), { z = true }), z = ex.choice { true, false } },
                             {}, ex.sampler.sobol()
  for seed = 1, 4 do
    for number = 0, 7 do
      local ask = { space = space, seed = seed, number = number, trials = {} }
      local params = space:check(sobol:suggest(ask))
      lu.assertEquals(sobol:suggest(ask), params)
      lu.assertNil(seen[params.x])
      seen[params.x] = true
    end
  end
end

function TestSobol.test_too_many_knobs()
  local dists = {}
  for i = 1, 41 do dists["k" .. i] = ex.uniform(0, 1) end
  lu.assertErrorMsgEquals("sampler.sobol: at most 40 knobs, the space has 41; take sampler.random",
                          Sobol.draw, Space.new(dists), 1, 0)
end

os.exit(lu.LuaUnit.run())
