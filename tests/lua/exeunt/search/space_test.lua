-- space_test.lua: distributions both ways, conditions, counting, documents, and every refusal.

local lu = require "luaunit"
local ex = require "exeunt"
local json = require "exeunt.report.json"
local Space = require "exeunt.search.space"

local function refused(message, f, ...) lu.assertErrorMsgEquals(message, f, ...) end

TestDistributions = {}

function TestDistributions.test_values_worked_by_hand()
  lu.assertEquals(ex.uniform(-1, 3):from_unit(0.25), 0)
  lu.assertAlmostEquals(ex.log(1e-4, 1e-2):from_unit(0.5), 1e-3, 1e-15)
  local int = ex.int(1, 4)                                  -- four cells of a quarter
  lu.assertEquals({ int:from_unit(0), int:from_unit(0.2499), int:from_unit(0.25), int:from_unit(0.999) }, { 1, 1, 2, 4 })
  lu.assertEquals({ int:to_unit(1), int:to_unit(4) }, { 0.125, 0.875 })
  local stepped = ex.uniform(0, 1, { step = 0.25 })         -- 0, 0.25, ..., 1
  lu.assertEquals({ stepped:cells(), stepped:from_unit(0.5), stepped:from_unit(0.99) }, { 5, 0.5, 1 })
  lu.assertEquals(ex.int(32, 256, { step = 32 }):from_unit(0.999), 256)
  local choice = ex.choice { "asc", 2, true, { 16, 32 } }
  lu.assertEquals({ choice:from_unit(0), choice:from_unit(0.3), choice:from_unit(0.5), choice:from_unit(0.8) },
                  { "asc", 2, true, { 16, 32 } })
  lu.assertEquals(choice:to_unit({ 16, 32 }), 0.875)
  local log_int = ex.int(1, 8, { log = true })              -- the line from ln 0.5 to ln 8.5, rounded
  lu.assertEquals({ log_int:from_unit(0), log_int:from_unit(math.log(3) / math.log(17)), log_int:from_unit(1) }, { 1, 2, 8 })
end

function TestDistributions.test_ends_are_exact_and_values_come_back()
  for _, dist in ipairs { ex.log(1e-4, 1e-1), ex.uniform(0.1, 0.7), ex.int(3, 9), ex.int(1, 1000, { log = true }),
                          ex.uniform(0, 0.3, { step = 0.1 }), ex.choice { 5, 6, 7 } } do
    if dist.kind ~= "choice" then lu.assertEquals({ dist:from_unit(0), dist:from_unit(1) }, { dist.low, dist.high }) end
    for i = 0, 100 do
      local value = dist:from_unit(i / 101)
      lu.assertTrue(dist:has(value))
      local back = dist:from_unit(dist:to_unit(value))
      if dist:cells() == math.huge then lu.assertAlmostEquals(back, value, 1e-12) else lu.assertEquals(back, value) end
    end
  end
end

function TestDistributions.test_refusals()
  refused("uniform: low must be below high, got 1 and 1", ex.uniform, 1, 1)
  refused("uniform: expected two numbers, got \"a\" and 2", ex.uniform, "a", 2)
  refused("uniform: expected two numbers, got 0 and inf", ex.uniform, 0, math.huge)
  refused("uniform: step must be above 0 and at most high - low (1), got 2", ex.uniform, 0, 1, { step = 2 })
  refused("uniform: unknown option 'stp'; did you mean 'step'?", ex.uniform, 0, 1, { stp = 0.5 })
  refused("log: low must be above 0, got 0", ex.log, 0, 1)
  refused("log: low must be below high, got 1 and 0.1", ex.log, 1, 0.1)
  refused("int: expected whole numbers, got 1.5", ex.int, 1.5, 3)
  refused("int: a step and log do not go together", ex.int, 1, 9, { log = true, step = 2 })
  refused("int: with log, low must be above 0, got 0", ex.int, 0, 9, { log = true })
  refused("choice: expected a list of values", ex.choice, {})
  refused("choice: values 1 and 3 are the same", ex.choice, { { 1, 2 }, 5, { 1, 2 } })
  refused("choice: value 1 must be a number, a string, a boolean or a list, got a function", ex.choice, { print })
  refused("choice: value 2 must be a number, a string, a boolean or a list, got nothing (null)", ex.choice,
          { 1, require("exeunt.report.json").null })
  refused("only: expected { knob = value or list of values }", ex.only, ex.int(1, 2), {})
end

TestSpace = {}

local function example()
  return Space.new { zoo = ex.choice { "vgg", "resnet" }, lr = ex.log(1e-4, 1e-1),
                     depth = ex.only(ex.int(2, 5), { zoo = "resnet" }),
                     width = ex.only(ex.choice { { 16, 32 }, { 32, 64 } }, { depth = { 3, 4 } }) }
end

function TestSpace.test_parents_come_before_children()
  lu.assertEquals(example().names, { "zoo", "depth", "lr", "width" })
end

function TestSpace.test_what_exists_under_which_values()
  local space = example()
  lu.assertEquals(space:active { zoo = "vgg", lr = 0.01 }, { "zoo", "lr" })
  lu.assertEquals(space:active { zoo = "resnet", lr = 0.01, depth = 5 }, { "zoo", "depth", "lr" })
  lu.assertEquals(space:active { zoo = "resnet", lr = 0.01, depth = 3 }, { "zoo", "depth", "lr", "width" })
  lu.assertEquals(space:active { zoo = "vgg", lr = 0.01, depth = 3 }, { "zoo", "lr" })     -- depth itself is not there
end

function TestSpace.test_check()
  local space = example()
  local point = { zoo = "resnet", lr = 0.01, depth = 3, width = { 16, 32 } }
  lu.assertIs(space:check(point), point)
  refused("knob lr has no value", space.check, space, { zoo = "vgg" })
  refused('knob zoo must be one of "vgg", "resnet", got "alexnet"', space.check, space, { zoo = "alexnet", lr = 0.01 })
  refused("knob lr must be a number from 0.0001 to 0.1 (logarithmic), got 1", space.check, space, { zoo = "vgg", lr = 1 })
  refused("knob depth must be a whole number from 2 to 5, got 2.5", space.check, space, { zoo = "resnet", lr = 0.01, depth = 2.5 })
  refused("knob depth does not exist under the other knobs' values", space.check, space, { zoo = "vgg", lr = 0.01, depth = 3 })
  refused("unknown knob 'lrr'; did you mean 'lr'?", space.check, space, { zoo = "vgg", lr = 0.01, lrr = 1 })
end

function TestSpace.test_key_is_equal_for_equal_points()
  local space = example()
  local a = { zoo = "resnet", lr = 0.01, depth = 3, width = { 16, 32 } }
  local b = { width = { 16, 32 }, depth = 3, lr = 0.01, zoo = "resnet" }
  lu.assertEquals(space:key(a), space:key(b))
  lu.assertEquals(space:key(a), '{"zoo": "resnet", "depth": 3, "lr": 0.01, "width": [16, 32]}')
  b.lr = 0.01 + 1e-17 * 2 ^ 10
  lu.assertNotEquals(space:key(a), space:key(b))
end

-- vgg: 1; resnet: depth 2 and 5 once, 3 and 4 with two widths each.
function TestSpace.test_size_of_a_conditional_space()
  lu.assertEquals(example():size(), math.huge)
  local space = Space.new { zoo = ex.choice { "vgg", "resnet" }, depth = ex.only(ex.int(2, 5), { zoo = "resnet" }),
                            width = ex.only(ex.choice { 16, 32 }, { depth = { 3, 4 } }) }
  lu.assertEquals(space:size(), 1 + 2 + 2 * 2)
  lu.assertEquals(Space.new({ a = ex.int(1, 10), b = ex.choice { 1, 2, 3 }, c = ex.uniform(0, 1, { step = 0.5 }) }):size(), 90)
end

function TestSpace.test_a_document_gives_the_space_back()
  local space = example()
  local again = Space.from_document(json.decode(json.encode(space:document())))
  lu.assertEquals(again:document(), space:document())
  lu.assertEquals(again.names, space.names)
  lu.assertEquals(tostring(again), tostring(space))
  lu.assertEquals(again:active { zoo = "resnet", depth = 3, lr = 0.01 }, { "zoo", "depth", "lr", "width" })
end

function TestSpace.test_what_a_yaml_file_says()
  local space = Space.new { lr = { log = { 1e-4, 1e-1 } }, n = { int = { 32, 256 }, step = 32 },
                            m = { int = { 1, 100 }, log = true }, c = { choice = { "a", "b" } },
                            u = { uniform = { 0, 1 }, only = { c = "b" } } }
  local same = Space.new { lr = ex.log(1e-4, 1e-1), n = ex.int(32, 256, { step = 32 }), m = ex.int(1, 100, { log = true }),
                           c = ex.choice { "a", "b" }, u = ex.only(ex.uniform(0, 1), { c = { "b" } }) }
  lu.assertEquals(space:document(), same:document())
  refused("space: lr: there is no distribution 'loguniform'; did you mean 'log'?", Space.new, { lr = { loguniform = { 1, 2 } } })
  refused("space: lr: there is no distribution 'categorical'; did you mean 'choice'?", Space.new, { lr = { categorical = { 1, 2 } } })
  refused("space: lr: choice: expected a list of values", Space.new, { lr = { choice = {} } })
  refused("space: lr: there is no distribution 'logg'; did you mean 'log'?", Space.new, { lr = { logg = { 1, 2 } } })
  refused("space: lr: expected one of choice, int, log and uniform with its list of values, as { log = { 1e-4, 1e-1 } }", Space.new,
          { lr = { 1, 2 } })
  refused("space: lr: log: expected [low, high], got 1 values", Space.new, { lr = { log = { 1 } } })
  lu.assertErrorMsgContains("unknown option 'step'", Space.new, { lr = { log = { 1, 2 }, step = 1 } })
end

function TestSpace.test_refusals()
  refused("space: no knobs are given", Space.new, {})
  refused("space: lr: expected a distribution, as ex.log(1e-4, 1e-1) or in YAML { log: [1e-4, 1e-1] }, got 3", Space.new, { lr = 3 })
  refused("space: a knob's name must be a word, got 1", Space.new, { ex.int(1, 2) })
  refused("space: b exists only under 'aa', which is no knob of the space; there are a and b", Space.new,
          { a = ex.int(1, 2), b = ex.only(ex.int(1, 2), { aa = 1 }) })
  refused("space: b exists only under a = 3, but a is a whole number from 1 to 2", Space.new,
          { a = ex.int(1, 2), b = ex.only(ex.int(1, 2), { a = { 1, 3 } }) })
  refused("space: b exists only under a, which is continuous", Space.new,
          { a = ex.log(1, 2), b = ex.only(ex.int(1, 2), { a = 1 }) })
  refused("space: the conditions of a go in a circle", Space.new,
          { a = ex.only(ex.int(1, 2), { b = 1 }), b = ex.only(ex.int(1, 2), { a = 1 }) })
end

os.exit(lu.LuaUnit.run())
