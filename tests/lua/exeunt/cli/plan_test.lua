-- cli/plan.lua: a plan as a table. The plan here is made by hand; one of a recipe is shown in the last case.

local lu = require "luaunit"
local plan = require "exeunt.cli.plan"
local command = dofile "tests/support/command.lua"

TestPlan = {}

local made = {
  info = function() return { nodes = 3, batch = 64, threads = 2, arena_bytes = 3 * 2 ^ 20, sum_bytes = 2 ^ 22, macs = 12345678 } end,
  nodes = function()
    return {
      { name = "conv1", op = "conv2d", kernel = "direct 3x3", shape = { 64, 32, 28, 28 }, bytes = 2 ^ 21, scratch = 1024, macs = 12345678 },
      { name = "flat", op = "flatten", kernel = "alias", shape = { 64, 25088 }, bytes = 0, scratch = 0, macs = 0, constant = true },
      { name = "sgd.w", op = "sgd", kernel = "simple", shape = {}, bytes = 0, scratch = 0, macs = 0, commit = true },
    }
  end,
}

function TestPlan.test_the_table()
  lu.assertEquals(plan.text(made, "recipe.lua: one step of train1"), [[
recipe.lua: one step of train1

#  node   operator  kernel      shape         memory  scratch  MACs/image
-  -----  --------  ----------  -----------  -------  -------  ----------  --------------
1  conv1  conv2d    direct 3x3  64x32x28x28  2.0 MiB  1.0 KiB  12,345,678
2  flat   flatten   alias       64x25088                                   constant alias
3  sgd.w  sgd       simple      scalar                                     commit

3 nodes, batch up to 64, 2 threads; 12,345,678 MACs an image
3.0 MiB in one arena; the results would take 4.0 MiB without sharing
]])
end

function TestPlan.test_a_recipe_that_is_not_there()
  local result = command.run "plan no/such.lua"
  lu.assertEquals({ result.code, result.out, result.err }, { 1, "", "exeunt: no/such.lua: No such file or directory\n" })
end

os.exit(lu.LuaUnit.run())
