-- latency_test.lua: which record gets which network's latency, and that what a store holds is left as it is.

local lu = require "luaunit"
local cost = require "exeunt.cost"
local measure = require "exeunt.paper.latency"
local dataset = dofile "tests/support/dataset.lua"
local folder = dofile "tests/support/folder.lua"

TestLatency = {}

function TestLatency:setUp()
  self.folder = folder.make()
  self.set = dataset.make(self.folder)
  self.timed = cost.latencies
end

function TestLatency:tearDown()
  cost.latencies = self.timed
  folder.remove(self.folder)
end

local function record(set, scheme, seed, exits)
  local entry = { exits = exits, latency_ms = 99, params = 5 }
  return { made = { isa = "x" },
           cell = { net = "resnet", data = set, size = 0, regime = "tr", scheme = scheme, seed = seed, validation = 10 },
           result = { full = scheme == "se" and entry or {}, pruned = scheme ~= "se" and entry or nil } }
end

function TestLatency:test_one_network_for_each_set_of_exits()
  local asked
  cost.latencies = function(nets)
    asked = {}
    local out = {}
    for i, net in ipairs(nets) do asked[i], out[i] = net:exit_numbers(), { median_ms = 10 * i } end
    return out
  end
  local records = { record(self.set, "se", 1, { 3 }), record(self.set, "mix", 1, { 1, 2 }), record(self.set, "asc", 1, { 2 }),
                    record(self.set, "mix", 2, { 2 }), record(self.set, "se", 2, { 3 }) }
  local out = measure(records)
  lu.assertEquals(#asked, 3)
  lu.assertEquals({ asked[2], asked[3] }, { { 1, 2 }, { 2 } })
  lu.assertEquals(out[1].result.full.latency_ms, 10)
  lu.assertEquals({ out[2].result.pruned.latency_ms, out[3].result.pruned.latency_ms, out[4].result.pruned.latency_ms }, { 20, 30, 30 })
  lu.assertEquals(out[5].result.full.latency_ms, 10)
  lu.assertEquals({ out[2].result.pruned.params, out[2].made.isa }, { 5, "x" })
  lu.assertEquals({ records[1].result.full.latency_ms, records[2].result.pruned.latency_ms }, { 99, 99 })
end

function TestLatency:test_measured()
  local out = measure({ record(self.set, "se", 1, { 3 }), record(self.set, "mix", 1, { 1 }) }, { runs = 3, warmup = 1 })
  lu.assertTrue(out[1].result.full.latency_ms > 0 and out[1].result.full.latency_ms < 99)
  lu.assertTrue(out[2].result.pruned.latency_ms > 0 and out[2].result.pruned.latency_ms < 99)
end

os.exit(lu.LuaUnit.run())
