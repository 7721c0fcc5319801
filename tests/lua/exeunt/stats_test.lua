-- stats_test.lua: against tables of Student's t and sums worked by hand.

local lu = require "luaunit"
local stats = require "exeunt.stats"

TestStats = {}

function TestStats:test_mean_and_deviation_by_hand()
  lu.assertEquals(stats.mean { 2, 4, 9 }, 5)
  lu.assertAlmostEquals(stats.deviation { 2, 4, 9 }, math.sqrt((9 + 1 + 16) / 2), 1e-15)
  lu.assertNil(stats.mean {})
  lu.assertNil(stats.deviation { 3 })
end

-- Printed tables (two-sided 5 % and 1 %).
function TestStats:test_quantiles_are_those_of_tables()
  for _, case in ipairs { { 0.05, 1, 12.7062 }, { 0.05, 2, 4.30265 }, { 0.05, 4, 2.77645 }, { 0.05, 30, 2.04227 },
                          { 0.01, 3, 5.84091 }, { 0.01, 10, 3.16927 }, { 0.05, 1000, 1.96234 } } do
    lu.assertAlmostEquals(stats.quantile(case[1], case[2]), case[3], 5e-5)
  end
end

-- Closed forms: df = 1 is Cauchy's distribution; df = 2: P(|T| >= t) = 1 - t / sqrt(2 + t^2).
function TestStats:test_tails_are_those_of_closed_forms()
  for _, t in ipairs { 0, 0.1, 1, 3, 50 } do
    lu.assertAlmostEquals(stats.two_sided(t, 1), 1 - 2 / math.pi * math.atan(t), 1e-12)
    lu.assertAlmostEquals(stats.two_sided(-t, 2), 1 - t / math.sqrt(2 + t * t), 1e-12)
  end
end

function TestStats:test_interval_by_hand()
  local mean, half = stats.interval { 1, 2, 3 }
  lu.assertEquals(mean, 2)
  lu.assertAlmostEquals(half, 4.30265 / math.sqrt(3), 5e-5)
  mean, half = stats.interval { 7 }
  lu.assertEquals(mean, 7)
  lu.assertNil(half)
end

-- Differences 1, 2, 3: t = 2 sqrt(3) with 2 degrees of freedom.
function TestStats:test_paired_by_hand()
  local r = stats.paired({ 2, 4, 6 }, { 1, 2, 3 })
  lu.assertEquals({ r.mean, r.n }, { 2, 3 })
  lu.assertAlmostEquals(r.p, 1 - math.sqrt(12) / math.sqrt(14), 1e-12)
  lu.assertEquals(stats.paired({ 1, 2 }, { 1, 2 }).p, 1)
  lu.assertEquals(stats.paired({ 2, 3 }, { 1, 2 }).p, 0)
  lu.assertNil(stats.paired({ 2 }, { 1 }).p)
  lu.assertErrorMsgContains("stats.paired: 2 numbers beside 1", stats.paired, { 1, 2 }, { 1 })
end

os.exit(lu.LuaUnit.run())
