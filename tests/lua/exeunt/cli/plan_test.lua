-- cli/plan.lua: a plan as a table. The plan here is made by hand; one of a recipe is shown in the last case.

local lu = require "luaunit"
local cjson = require "cjson"
local plan = require "exeunt.cli.plan"
local command = dofile "tests/support/command.lua"

TestPlan = {}

local made = {
  info = function() return { nodes = 3, batch = 64, threads = 2, arena_bytes = 3 * 2 ^ 20, sum_bytes = 2 ^ 22, macs = 12345678,
                             peak = 2, peak_bytes = 2.5 * 2 ^ 20 } end,
  nodes = function()
    return {
      { name = "conv1", op = "conv2d", kernel = "direct", shape = { 64, 32, 28, 28 }, bytes = 2 ^ 21, scratch = 1024, macs = 12345678,
        chain = 4, in_pieces = true, live = 2 ^ 21, at_peak = true },
      { name = "flat", op = "flatten", kernel = "alias", shape = { 64, 25088 }, bytes = 0, scratch = 0, macs = 0, constant = true,
        live = 2.5 * 2 ^ 20 },
      { name = "sgd.w", op = "sgd", kernel = "simple", shape = {}, bytes = 0, scratch = 0, macs = 0, commit = true, live = 0 },
    }
  end,
}

function TestPlan.test_the_table()
  lu.assertEquals(plan.text(made, "recipe.lua: one step of train1"), [[
recipe.lua: one step of train1

#  chain  node   operator  kernel  shape         memory  scratch   in use  MACs/image
-  -----  -----  --------  ------  -----------  -------  -------  -------  ----------  --------------
1      4  conv1  conv2d    direct  64x32x28x28  2.0 MiB  1.0 KiB  2.0 MiB  12,345,678  pieces
2         flat   flatten   alias   64x25088                       2.5 MiB              constant alias
3         sgd.w  sgd       simple  scalar                                              commit

3 nodes, batch up to 64, 2 threads; 12,345,678 MACs an image
3.0 MiB in one arena; the results would take 4.0 MiB without sharing
the nodes of a chain run one after another on a few images at a time; what is marked pieces is never there for all
most is in use while 2 flat runs: 2.5 MiB, with scratch

#  results that are there then   memory
-  ---------------------------  -------
1  conv1                        2.0 MiB
]])
end

-- Of more than ten results at the peak the smallest are added up.
function TestPlan.test_the_largest_at_the_peak()
  local many = { info = function() return made.info() end, nodes = function()
    local nodes = {}
    for i = 1, 13 do
      nodes[i] = { name = "n" .. i, op = "relu", kernel = "vector", shape = { 64 }, bytes = i * 2 ^ 20, scratch = 0, macs = 0, live = 0,
                   at_peak = i < 13 }
    end
    return nodes
  end }
  lu.assertStrContains(plan.text(many, "title"), [[
 #  results that are there then    memory
--  ---------------------------  --------
12  n12                          12.0 MiB
11  n11                          11.0 MiB
]])
  lu.assertStrContains(plan.text(many, "title"), [[
 3  n3                            3.0 MiB
    2 smaller ones                3.0 MiB
]])
end

-- What a profile adds, with times made by hand: 1 ms for each of 64 images' 10 MMACs is 1.28 TFLOP/s.
local function profiled()
  local nodes = made.nodes()
  for _, node in ipairs(nodes) do node.seconds, node.best, node.share, node.traffic = 0, 0, 0, node.bytes end
  nodes[1].macs, nodes[1].seconds, nodes[1].best, nodes[1].share, nodes[1].flops = 1e7, 1e-3, 9e-4, 0.5, 1.28e12
  nodes[3].seconds, nodes[3].share, nodes[3].bandwidth = 2.5e-4, 0.125, 4e9
  return { steps = 5, n = 64, threads = 2, step = 1.9e-3, timed_step = 2e-3, wait = 1e-4, nodes_seconds = 1.25e-3,
           images_per_s = 32000, flops = 6e11, peak_flops = 1.2e12, nodes = nodes }
end

function TestPlan.test_the_tables_of_a_profile()
  local text = plan.text(made, "title", profiled())
  lu.assertStrContains(text, [[
#  chain  node   operator  kernel  shape         memory  scratch   in use  MACs/image     ms   best   share  GFLOP/s  GB/s
-  -----  -----  --------  ------  -----------  -------  -------  -------  ----------  -----  -----  ------  -------  ----  --------------
1      4  conv1  conv2d    direct  64x32x28x28  2.0 MiB  1.0 KiB  2.0 MiB  10,000,000  1.000  0.900  50.0 %   1280.0        pieces
2         flat   flatten   alias   64x25088                       2.5 MiB              0.000  0.000   0.0 %                 constant alias
3         sgd.w  sgd       simple  scalar                                              0.250  0.000  12.5 %            4.0  commit
]])
  lu.assertStrContains(text, [[
operator  kernel  nodes     ms   best   share  GFLOP/s  GB/s
--------  ------  -----  -----  -----  ------  -------  ----
conv2d    direct      1  1.000  0.900  50.0 %   1280.0
]])
  lu.assertStrContains(text, "\nhottest nodes  kernel  shape           ms   best   share  GFLOP/s  GB/s\n")
  lu.assertStrContains(text, [[
a step of 64 images: 1.900 ms, 32000 images/s with 0.100 ms of waiting for the batch (medians of 5)
600.0 GFLOP/s over the step, 50 % of the 1200 that 2 threads give in registers now
nodes take 1.250 ms of 2.000 when each is timed
]])
end

-- On a terminal of 80 columns no line of a table is longer, and what is left out is said.
function TestPlan.test_a_narrow_terminal()
  local term = require "exeunt.report.term"
  local room = term.room
  term.room = function() return 80 end
  local bare, full = plan.text(made, "title"), plan.text(made, "title", profiled())
  term.room = room
  local nodes = bare:match "\n\n(.-)\n\n"
  lu.assertStrContains(nodes, "\n1      4  conv1  conv2d    direct  64x32x28x28  2.0 MiB  12,345,678  pieces")
  lu.assertStrContains(nodes, "  constant a…\n")
  lu.assertStrContains(nodes, "\nnot shown for want of room: in use, scratch; a wider terminal, a pipe or --json has all")
  lu.assertStrContains(full, "\nnot shown for want of room: in use, scratch, chain, memory, MACs/image, best; a wider terminal")
  for _, text in ipairs { nodes, full } do
    for line in text:gmatch "[^\n]+" do
      if line:find "  " then lu.assertTrue(#line:gsub("[\128-\191]", "") <= 80, line) end
    end
  end
end

function TestPlan.test_json()
  local bare = cjson.decode(plan.json(made, "r.lua", "train1"))
  lu.assertEquals({ bare.recipe, bare.train, bare.batch, #bare.nodes, bare.profile }, { "r.lua", "train1", 64, 3, nil })
  lu.assertEquals({ bare.nodes[1].name, bare.nodes[1].shape, bare.nodes[1].seconds }, { "conv1", { 64, 32, 28, 28 }, nil })
  local full = cjson.decode(plan.json(made, "r.lua", "train1", profiled()))
  lu.assertEquals({ full.profile.step, full.profile.nodes, full.nodes[1].flops, full.nodes[3].bandwidth }, { 1.9e-3, nil, 1.28e12, 4e9 })
end

-- A recipe from the outside: its training is profiled on its own data, and leaves nothing behind.
local RECIPE = [[
local ex = require "exeunt"
local tiny = dofile "tests/support/tiny.lua"
return ex.recipe {
  about = "a test",
  knobs = { epochs = 3, batch = 40 },
  run = function(knobs)
    print "said by the recipe"
    return ex.train(tiny.net(), tiny.data(), { optimizer = ex.optim.adam { lr = 1e-3 }, epochs = knobs.epochs, batch = knobs.batch })
  end,
}
]]

function TestPlan.test_a_recipe_is_profiled()
  local folder = command.folder()
  command.write(folder .. "/r.lua", RECIPE)
  local result = command.run(("plan '%s/r.lua' --profile --steps 4 --json --threads 1"):format(folder))
  lu.assertEquals({ result.code, result.err }, { 0, "said by the recipe\n" })
  local doc = cjson.decode(result.out)
  lu.assertEquals({ doc.train, doc.batch, doc.profile.n, doc.profile.steps, doc.profile.threads }, { "train1", 40, 40, 4, 1 })
  local operators = {}
  for _, node in ipairs(doc.nodes) do operators[node.op] = node end
  lu.assertTrue(operators.conv2d.flops > 0 and operators.conv2d.share > 0 and operators.conv2d.best > 0)
  lu.assertNil(operators.conv2d.bandwidth)
  lu.assertTrue(operators.normalise_act.bandwidth > 0)
  lu.assertTrue(operators.adam_group.commit)
  lu.assertTrue(doc.peak_bytes > 0 and doc.peak_bytes <= doc.arena_bytes)
  lu.assertEquals(doc.nodes[doc.peak].live, doc.peak_bytes)
  result = command.run(("plan '%s/r.lua' --profile --steps 1"):format(folder))
  lu.assertEquals(result.code, 0)
  lu.assertStrContains(result.out, "hottest nodes")
  result = command.run(("plan '%s/r.lua' --json"):format(folder))
  lu.assertNil(cjson.decode(result.out).profile)
  lu.assertEquals(#command.shell(("ls '%s'"):format(folder)).out, #"r.lua\n")
  command.remove(folder)
end

function TestPlan.test_steps_without_a_profile()
  local result = command.run "plan no/such.lua --steps 3"
  lu.assertEquals({ result.code, result.err }, { 2, "exeunt: plan: --steps says how long to profile: give --profile too\n" })
end

function TestPlan.test_a_recipe_that_is_not_there()
  local result = command.run "plan no/such.lua"
  lu.assertEquals({ result.code, result.out, result.err }, { 1, "", "exeunt: no/such.lua: No such file or directory\n" })
end

os.exit(lu.LuaUnit.run())
