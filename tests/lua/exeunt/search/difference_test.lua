-- search/difference.lua: what differs, by name.

local lu = require "luaunit"
local ex = require "exeunt"
local difference = require "exeunt.search.difference"
local Space = require "exeunt.search.space"

TestDifference = {}

local function space(dists) return Space.new(dists):document() end

function TestDifference.test_knobs()
  local before = space { lr = ex.log(1e-4, 1e-1), width = ex.int(4, 12), kind = ex.choice { "a", "b" } }
  local now = space { lr = ex.log(1e-5, 1e-1), kind = ex.choice { "a", "b" }, depth = ex.int(1, 8, { log = true }) }
  lu.assertEquals(difference.of("space", before, now),
    "depth is int(1, 8, log), was not there; lr was log(0.0001, 0.1), is log(1e-05, 0.1); width was int(4, 12), is not there")
  before = space { x = ex.uniform(0, 1, { step = 0.25 }), k = ex.choice { 1, { 2, 3 } } }
  now = space { x = ex.only(ex.uniform(0, 1), { k = 1 }), k = ex.choice { 1, { 2, 3 }, "c" } }
  lu.assertEquals(difference.of("space", before, now),
    "k was choice(1, [2, 3]), is choice(1, [2, 3], c); x was uniform(0, 1, step 0.25), is uniform(0, 1) only where k = 1")
  local many, none = {}, space { z = ex.uniform(0, 1) }
  for i = 1, 7 do many["k" .. i] = ex.uniform(0, 1) end
  many.z = ex.uniform(0, 1)
  lu.assertStrMatches(difference.of("space", none, space(many)), "k1 is .*; k4 is uniform%(0, 1%), was not there; and 3 more")
end

function TestDifference.test_other_parts()
  local of = difference.of
  lu.assertEquals(of("seed", 420, 9), "was 420, is 9")
  lu.assertEquals(of("watch", nil, "loss"), "was not given, is loss")
  lu.assertEquals(of("objective", { { maximize = "a" } },
                     { { maximize = "a" }, { minimize = "b" } }), "was maximize a, is maximize a, minimize b")
  lu.assertEquals(of("fixed", { epochs = 1, widths = { 8 } }, { epochs = 2, widths = { 8 } }), "epochs was 1, is 2")
  lu.assertEquals(of("points", { { x = 1 } }, { { x = 1 }, { x = 2, y = "a" } }), "point 2 is x=2 y=a, was not there")
  lu.assertEquals(of("constraints", {}, { "m <= 1" }), "were not given, are m <= 1")
  lu.assertEquals(of("constraints", { "m <= 2" }, { "m <= 1" }), "were m <= 2, are m <= 1")
  lu.assertEquals(of("sampler", { name = "tpe", options = { lag = 2 } }, { name = "tpe", options = { lag = 3 } }), "lag was 2, is 3")
  lu.assertEquals(of("sampler", { name = "tpe", options = { lag = 2 } }, { name = "random", options = {} }), "was tpe, is random")
  lu.assertEquals(of("stop", { name = "asha", options = { reduction = 3 } }, nil), "was asha, is not given")
end

os.exit(lu.LuaUnit.run())
