-- grid_test.lua: every point once, in order, then no more.

local lu = require "luaunit"
local ex = require "exeunt"
local Space = require "exeunt.search.space"

TestGrid = {}

local function all(space, given)
  local grid, keys = ex.sampler.grid(given), {}
  for number = 0, 1000 do
    local params = grid:suggest { space = space, number = number, seed = 1, trials = {} }
    if not params then break end
    keys[#keys + 1] = space:key(space:check(params))
  end
  return keys
end

function TestGrid.test_enumeration_by_hand()
  lu.assertEquals(all(Space.new { b = ex.choice { "x", "y" }, a = ex.int(1, 2) }),
                  { '{"a": 1, "b": "x"}', '{"a": 1, "b": "y"}', '{"a": 2, "b": "x"}', '{"a": 2, "b": "y"}' })
end

function TestGrid.test_conditions_leave_no_point_twice()
  local space = Space.new { kind = ex.choice { "vgg", "resnet" }, depth = ex.only(ex.int(2, 3), { kind = "resnet" }),
                            lr = ex.uniform(0, 1) }
  lu.assertEquals(all(space, { points = 2 }), {
    '{"kind": "vgg", "lr": 0}', '{"kind": "vgg", "lr": 1}', '{"kind": "resnet", "depth": 2, "lr": 0}',
    '{"kind": "resnet", "depth": 2, "lr": 1}', '{"kind": "resnet", "depth": 3, "lr": 0}', '{"kind": "resnet", "depth": 3, "lr": 1}' })
  lu.assertEquals(ex.sampler.grid({ points = { lr = 2 } }):size(space), 6)
end

function TestGrid.test_continuous_knobs_have_both_ends()
  local grid, space, list = ex.sampler.grid { points = 3 }, Space.new { lr = ex.log(1e-4, 1e-2) }, {}
  for number = 0, 2 do list[number + 1] = grid:suggest({ space = space, number = number }).lr end
  lu.assertEquals({ list[1], list[3] }, { 1e-4, 1e-2 })
  lu.assertAlmostEquals(list[2], 1e-3, 1e-15)
end

function TestGrid.test_many_knobs()
  local dists = {}
  for i = 1, 12 do dists["k" .. i] = ex.int(0, 9) end
  local space, grid = Space.new(dists), ex.sampler.grid()
  lu.assertEquals(grid:size(space), 1e12)
  local params = grid:suggest { space = space, number = 123456789012 }
  local digits = {}
  for i, name in ipairs(space.names) do digits[i] = params[name] end
  lu.assertEquals(table.concat(digits), "123456789012")
end

function TestGrid.test_refusals()
  lu.assertErrorMsgEquals("sampler.grid: lr is continuous: say how many of its values, points = { lr = 5 }",
                          all, Space.new { lr = ex.log(1, 2) })
  lu.assertErrorMsgEquals("sampler.grid: points must be whole numbers from 1 on, got 0", ex.sampler.grid, { points = 0 })
  lu.assertErrorMsgEquals("sampler.grid: points: no knob 'l'; did you mean 'lr'?",
                          all, Space.new { lr = ex.log(1, 2) }, { points = { l = 2 } })
end

os.exit(lu.LuaUnit.run())
