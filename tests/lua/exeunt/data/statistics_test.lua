-- statistics_test.lua: means, deviations, counts and weights, worked by hand.

local lu = require "luaunit"
local statistics = require "exeunt.data.statistics"
local tensor = require "exeunt.tensor"

TestStatistics = {}

function TestStatistics.test_channels()
  local images = tensor({ { { { 0, 255 } }, { { 7, 7 } } }, { { { 255, 255 } }, { { 7, 7 } } }, { { { 9, 9 } }, { { 9, 9 } } } },
                        "uint8")                            -- (3, 2, 1, 2)
  local s = statistics.channels(images, tensor({ 0, 1, -1 }, "int32"))
  lu.assertAlmostEquals(s.mean[1], 0.75, 1e-12)
  lu.assertAlmostEquals(s.std[1], math.sqrt(3 / 16), 1e-12)
  lu.assertAlmostEquals(s.mean[2], 7 / 255, 1e-12)
  lu.assertEquals(s.std[2], 1)
end

function TestStatistics.test_counts_and_weights()
  local counts = statistics.counts(tensor({ 0, 2, 2, -1, 2, 1 }, "int32"), 3)
  lu.assertEquals(counts, { 1, 1, 3 })
  lu.assertEquals(statistics.weights("x", counts), { 5 / 3, 5 / 3, 5 / 9 })
  lu.assertErrorMsgContains("x: class_weights: class 1 has no training images to balance", statistics.weights, "x", { 4, 0 })
end

os.exit(lu.LuaUnit.run())
