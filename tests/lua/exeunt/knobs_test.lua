-- Knobs: the types of their defaults, lists, what is refused and what is suggested.
local lu = require "luaunit"
local knobs = require "exeunt.knobs"

TestKnobs = {}

local defaults = { epochs = 8, lr = 1e-3, flip = true, weighting = "mix", widths = { 32, 64 }, schemes = { "unif" }, empty = {} }
local declared = knobs.declare(defaults)

local function resolve(given) return knobs.resolve(declared, given) end

function TestKnobs:test_defaults_and_what_every_recipe_has()
  local k = resolve {}
  lu.assertEquals(k.seed, 420)
  lu.assertNil(k.train_limit)
  k.seed = nil
  lu.assertEquals(k, defaults)
end

function TestKnobs:test_texts_take_the_type_of_the_default()
  local k = resolve { epochs = "3", lr = "2e-4", flip = "no", weighting = "asc", widths = "8,16,32", schemes = "asc,mix",
                      train_limit = "600", seed = "1" }
  lu.assertEquals(k.epochs, 3)
  lu.assertEquals(k.lr, 2e-4)
  lu.assertIs(k.flip, false)
  lu.assertEquals(k.weighting, "asc")
  lu.assertEquals(k.widths, { 8, 16, 32 })
  lu.assertEquals(k.schemes, { "asc", "mix" })
  lu.assertEquals(k.train_limit, 600)
  lu.assertEquals(k.seed, 1)
  lu.assertEquals(resolve({ widths = "8" }).widths, { 8 })
  lu.assertEquals(resolve({ widths = "" }).widths, {})
end

function TestKnobs:test_a_text_stays_a_text()
  lu.assertEquals(resolve({ weighting = "12" }).weighting, "12")
end

function TestKnobs:test_defaults_are_copied()
  local k = resolve {}
  k.widths[1] = 99
  lu.assertEquals(resolve({}).widths, { 32, 64 })
end

function TestKnobs:test_unknown_names_are_refused_with_the_nearest()
  lu.assertErrorMsgContains("unknown knob 'epoch'; did you mean 'epochs'?", resolve, { epoch = "3" })
  lu.assertErrorMsgContains("unknown knob 'qqqqqqqqqqq'; there are empty, epochs", resolve, { qqqqqqqqqqq = "3" })
end

function TestKnobs:test_reading_what_is_no_knob_is_refused()
  local k = resolve {}
  lu.assertErrorMsgContains("the recipe has no knob 'epoch'; did you mean 'epochs'?", function() return k.epoch end)
  lu.assertNil(k.train_limit)               -- a knob without a value
  k.own = 3                                 -- a recipe's own
  lu.assertEquals(k.own, 3)
  for name in pairs(k) do lu.assertNotEquals(name, "epoch") end
end

function TestKnobs:test_wrong_values_are_refused()
  lu.assertErrorMsgContains("knob epochs must be a number, got epochs=many", resolve, { epochs = "many" })
  lu.assertErrorMsgContains("knob lr must be a number", resolve, { lr = "nan" })
  lu.assertErrorMsgContains("knob flip must be true or false", resolve, { flip = "maybe" })
  lu.assertErrorMsgContains("knob widths must be a number", resolve, { widths = "8,,16" })
  lu.assertErrorMsgContains("knob seed must be a whole number", resolve, { seed = "1.5" })
  lu.assertErrorMsgContains("knob train_limit must be a whole number from 1", resolve, { train_limit = "0" })
  lu.assertErrorMsgContains("knob epochs must be a number, got a boolean", resolve, { epochs = true })
end

function TestKnobs:test_what_cannot_be_a_knob()
  lu.assertErrorMsgContains("knob f", knobs.declare, { f = print })
  lu.assertErrorMsgContains("knob t", knobs.declare, { t = { {} } })
  lu.assertErrorMsgContains("knob seed must be a number", knobs.declare, { seed = "x" })
end

function TestKnobs:test_a_recipe_may_have_its_own_seed()
  lu.assertEquals(knobs.resolve(knobs.declare { seed = 7 }, {}).seed, 7)
end

function TestKnobs:test_show_is_what_resolve_reads()
  lu.assertEquals(knobs.show { 8, 16 }, "8,16")
  lu.assertEquals(resolve({ widths = knobs.show { 8, 16 } }).widths, { 8, 16 })
  lu.assertTrue(knobs.same({ 1, 2 }, { 1, 2 }))
  lu.assertFalse(knobs.same({ 1, 2 }, { 1 }))
  lu.assertFalse(knobs.same(1, 2))
end

os.exit(lu.LuaUnit.run())
