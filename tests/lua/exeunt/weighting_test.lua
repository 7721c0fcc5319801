-- The schemes' numbers (METHOD's table), names, and what is refused.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestWeighting = {}

local function scheme(name, n)
  local exits = {}
  for i = 1, n do exits[i] = {} end
  return ex.weighting.of(name)(exits, 1, nil, {})
end

function TestWeighting.test_four_exits()
  local a, b = scheme("unif", 4)
  lu.assertEquals(a, { .25, .25, .25, .25 })
  lu.assertEquals(b, { .25, .25, .25, .25 })
  a, b = scheme("asc", 4)
  lu.assertEquals(a, { .1, .2, .3, .4 })
  lu.assertEquals(b, { .1, .2, .3, .4 })
  a, b = scheme("desc", 4)
  lu.assertEquals(a, { .4, .3, .2, .1 })
  lu.assertEquals(b, { .4, .3, .2, .1 })
  a, b = scheme("mix", 4)
  lu.assertEquals(a, { .4, .3, .2, .1 })
  lu.assertEquals(b, { .1, .2, .3, .4 })
end

function TestWeighting.test_fractions_are_exact()
  local a, b = scheme("mix", 3)
  lu.assertEquals(a, { 3 / 6, 2 / 6, 1 / 6 })
  lu.assertEquals(b, { 1 / 6, 2 / 6, 3 / 6 })
  lu.assertEquals((scheme("desc", 1)), { 1 })
end

function TestWeighting.test_by_name_in_the_module()
  lu.assertEquals({ ex.weighting.mix(3) }, { scheme("mix", 3) })
  lu.assertEquals(nets.message(function() return ex.weighting.mux end),
                  "weighting: no scheme 'mux'; did you mean 'mix'?")
  lu.assertEquals(nets.message(ex.weighting.of, "linear"), "weighting: no scheme 'linear'; there are asc, desc, mix and unif")
end

function TestWeighting.test_lists_and_names_for_each_side()
  local a, b = scheme({ loss = { .5, .3, .2 }, vote = "asc" }, 3)
  lu.assertEquals(a, { .5, .3, .2 })
  lu.assertEquals(b, { 1 / 6, 2 / 6, 3 / 6 })
  a = scheme({ loss = "desc", vote = "asc" }, 2)
  lu.assertEquals(a, { 2 / 3, 1 / 3 })
end

function TestWeighting.test_a_function_is_asked_with_all_it_may_see()
  local seen
  local s = ex.weighting.of(function(exits, epoch, metrics, state)
    seen = { #exits, epoch, metrics, state }
    return { .5, .5 }, { .25, .75 }
  end)
  local a, b = s({ {}, {} }, 3, { loss = 1 }, { x = 2 })
  lu.assertEquals(seen, { 2, 3, { loss = 1 }, { x = 2 } })
  lu.assertEquals({ a, b }, { { .5, .5 }, { .25, .75 } })
end

function TestWeighting.test_refuses()
  local function of(loss) return nets.message(scheme, { loss = loss, vote = "unif" }, 2) end
  lu.assertEquals(of { 1 }, "loss weights: 1 numbers for 2 exits")
  lu.assertEquals(of { 1, 0 }, "loss weights: number 2 must be positive, got 0")
  lu.assertEquals(of { 2, -1 }, "loss weights: number 2 must be positive, got -1")
  lu.assertEquals(of { .5, 0 / 0 }, "loss weights: number 2 must be positive, got " .. tostring(0 / 0))
  lu.assertEquals(of { .5, .6 }, "loss weights: the numbers must sum to 1, they sum to 1.1 (ex.weighting.rescaled scales them)")
  lu.assertEquals(of(3), "weighting: loss must be a list of weights or a scheme's name, got number")
  lu.assertStrContains(nets.message(scheme, { loss = "asc", votes = "asc" }, 2), "vote")
  lu.assertEquals(nets.message(scheme, function() return { .5, .5 } end, 2), "vote weights: expected a list of 2 numbers, got nil")
  lu.assertStrContains(nets.message(ex.weighting.of, 3), "weighting: expected a scheme's name")
end

function TestWeighting.test_the_authors_four_decimals_pass()
  lu.assertEquals((scheme({ loss = { .0667, .1333, .2, .2667, .3333 }, vote = "asc" }, 5)), { .0667, .1333, .2, .2667, .3333 })
end

function TestWeighting.test_rescaled()
  lu.assertEquals(ex.weighting.rescaled { 1, 3 }, { .25, .75 })
end

os.exit(lu.LuaUnit.run())
