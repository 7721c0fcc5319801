-- Costs by hand; quantiles; the form of a measured latency.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestCost = {}

-- conv 1->2 3x3 on 6x6 (4x4 out): 18 weights, 2 biases, 16 * 18 MACs; linear 32->3: 96 + 3, 96 MACs.
-- Activations: 2*16 (conv) + 32 (flatten) + 3 floats.
local net = ex.network { input = { 1, 6, 6 }, classes = 3, build = function(g, x)
  return ex.nn.sequential { ex.nn.conv2d { out = 2, kernel = 3 }, ex.nn.flatten(), ex.nn.linear { out = 3 } }(g, "", x)
end }

function TestCost.test_by_hand()
  local c = ex.cost.of(net)
  lu.assertEquals({ c.params, c.macs, c.activation_bytes }, { 119, 384, 4 * (32 + 32 + 3) })
  lu.assertEquals(tostring(c), "119 parameters, 384 MACs, 268 bytes of activations (one image)")
end

function TestCost.test_of_some_exits()
  local vgg = nets.vgg()
  local part, cut = ex.cost.of(vgg, { 1 }), vgg:keep({ 1 }):cost()
  lu.assertEquals({ part.params, part.macs }, { cut.params, cut.macs })
  lu.assertEquals(part.macs, 144 * 4 * 18 + 16)
end

function TestCost.test_quantiles()
  local q = ex.cost.quantile
  lu.assertEquals({ q({ 1, 2, 3, 4, 5 }, .5), q({ 1, 2, 3, 4 }, .5), q({ 1, 2, 3, 4 }, .25), q({ 7 }, .75), q({ 1, 3 }, 1) },
                  { 3, 2.5, 1.75, 7, 3 })
end

function TestCost.test_latency()
  local l = ex.cost.latency(nets.vgg(), { runs = 5, warmup = 1 })
  lu.assertTrue(0 < l.min_ms and l.min_ms <= l.q1_ms and l.q1_ms <= l.median_ms and l.median_ms <= l.q3_ms and l.q3_ms <= l.max_ms)
  lu.assertEquals({ l.runs, l.warmup }, { 5, 1 })
  lu.assertStrContains(tostring(l), "5 runs after 1, batch 1")
  lu.assertEquals(nets.message(ex.cost.latency, net, { runs = 0 }), "cost.latency: runs must be at least 1, got 0")
  lu.assertStrContains(nets.message(ex.cost.latency, net, { run = 1 }), "runs")
end

function TestCost.test_latencies_side_by_side()
  local both = ex.cost.latencies({ nets.vgg(), net }, { runs = 7, warmup = 1 })
  lu.assertEquals({ #both, both[1].runs, both[2].runs }, { 2, 7, 7 })
  lu.assertTrue(both[1].min_ms > 0 and both[2].min_ms > 0)
  lu.assertEquals(ex.cost.latencies {}, {})
end

function TestCost.test_latencies_are_taken_at_several_places_in_memory()
  local infer = require "exeunt.infer"
  local fresh, made, freed = infer.fresh, {}, 0
  local a, b = nets.vgg(), nets.vgg()
  infer.fresh = function(which, batch)
    made[#made + 1] = which == a and "a" or "b"
    local session = fresh(which, batch)
    local free = session.free
    session.free = function(...)
      freed = freed + 1
      free(...)
    end
    return session
  end
  local ok, both = pcall(ex.cost.latencies, { a, b }, { runs = 10, warmup = 0 })
  infer.fresh = fresh
  lu.assertTrue(ok, tostring(both))
  lu.assertEquals({ table.concat(made), freed }, { "abbaabbaab", 10 })       -- another one first each time
  lu.assertNil(a.sessions)                                                    -- the network keeps none of them
end

os.exit(lu.LuaUnit.run())
