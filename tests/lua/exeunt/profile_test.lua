-- profile.lua: what a profile counts and how it orders; never how long anything takes. Operators in Lua are timed too.

local lu = require "luaunit"
local ex = require "exeunt"
local profile = require "exeunt.profile"
local Graph = require "exeunt.graph"
local Plan = require "exeunt.plan"

TestProfile = {}

function TestProfile.test_the_median()
  lu.assertEquals(profile.median { 5, 1, 3 }, 3)
  lu.assertEquals(profile.median { 4, 1, 3, 2 }, 2.5)
  lu.assertNaN(profile.median {})
end

-- y = op(x w^T), whose runs take 2 seconds by the clock given and wait 1 for their batch.
local function profiled(op, steps)
  local g = Graph.new()
  local y = g:node("y", "linear", { g:input("x", { -1, 2 }), g:parameter("w", ex.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } }) })
  local z = g:node("z", op, { y })
  local plan = Plan.new(g, { outputs = { z }, batch = 4 })
  plan:bind("x", ex.tensor { { 1, 1 }, { 0, 2 } })
  local runs = 0
  local p = profile.of(plan, { n = 2, steps = steps, run = function()
    plan:run(2)
    runs = runs + 1
    return 2, 1
  end })
  return p, runs, plan
end

function TestProfile.test_what_it_counts()
  local p, runs, plan = profiled("neg", 3)
  lu.assertEquals({ p.steps, p.n, p.step, p.timed_step, p.wait }, { 3, 2, 2, 2, 1 })
  lu.assertTrue(runs >= 6)                                     -- three of each kind, and some before them
  lu.assertAlmostEquals(p.images_per_s, 2 / 3, 1e-12)
  lu.assertAlmostEquals(p.flops, 2 * 6 * 2 / 2, 1e-12)         -- 6 MACs an image, 2 images, 2 seconds
  lu.assertTrue(p.peak_flops > 0)
  local linear, neg = p.nodes[1], p.nodes[2]
  lu.assertEquals({ linear.op, neg.op }, { "linear", "neg" })
  lu.assertAlmostEquals(linear.flops * linear.seconds, 2 * 6 * 2, 1e-6)
  lu.assertAlmostEquals(neg.bandwidth * neg.seconds, 2 * neg.traffic / 4, 1e-6)
  lu.assertTrue(linear.best > 0 and linear.best <= linear.seconds)
  lu.assertNil(linear.bandwidth)
  lu.assertNil(neg.flops)
  lu.assertAlmostEquals(linear.share, linear.seconds / 2, 1e-15)
  plan:run(1)                                                  -- and no longer timed
  lu.assertEquals(plan:nodes()[1].seconds, 0)
end

function TestProfile.test_an_operator_in_lua_takes_its_time()
  ex.op.define { name = "profile_twice", forward = function(out, x, _, n)
    for i = 0, n - 1 do out[i] = 2 * x[i] end
  end, elementwise = true }
  local p = profiled("profile_twice", 1)
  lu.assertEquals(p.nodes[2].op, "profile_twice")
  lu.assertTrue(p.nodes[2].seconds > 0)
end

function TestProfile.test_hot_spots()
  local function node(name, op, seconds, macs)
    return { name = name, op = op, kernel = "k", seconds = seconds, best = seconds / 2, share = seconds / 10, macs = macs, traffic = 100 }
  end
  local p = { n = 2, nodes = { node("a", "conv", 1, 10), node("b", "relu", 2, 0), node("c", "conv", 3, 30), node("d", "idle", 0, 0) } }
  local rows = profile.by_operator(p, 4)
  lu.assertEquals({ rows[1].name, rows[1].count, rows[1].seconds, rows[1].flops, rows[1].bandwidth }, { "conv", 2, 4, 40, nil })
  lu.assertEquals({ rows[2].name, rows[2].count, rows[2].bandwidth }, { "relu", 1, 25 })
  lu.assertEquals({ rows[3].name, rows[3].bandwidth }, { "idle", nil })
  lu.assertAlmostEquals(rows[1].share, 0.4, 1e-15)
  lu.assertEquals(rows[1].best, 2)
  local hottest = profile.by_node(p, 2)
  lu.assertEquals({ #hottest, hottest[1].name, hottest[2].name }, { 2, "c", "b" })
  lu.assertEquals(p.nodes[1].name, "a")                        -- the nodes keep their order
end

os.exit(lu.LuaUnit.run())
