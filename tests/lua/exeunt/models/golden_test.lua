-- The named networks beside torchvision's, whose numbers tests/golden/models.py has summed up: logits, loss, gradients and
-- running statistics of one step with the same weights; by Winograd's method and without. A whole network has a million
-- numbers before its relus, so that now and then rounding puts one on the other side of 0 and gradients leap: there the
-- kernels of AVX2 answer for gradients in their form of least rounding, the portable ones, which sum in another order, for logits
-- and loss alone. The blocks keep off the kinks.

package.path = "tests/support/?.lua;" .. package.path
local lu = require "luaunit"
local golden = require "golden"
local parity = require "parity"
local json = require "cjson"
local core = require "exeunt.core"
local Plan = require "exeunt.plan"

local isa = core.ffi.string(core.C.ex_isa_name())

local cases, get = golden.open "models"

local function whole(case) return case.options == json.null end

local function compare(case, exact)
  local before = Plan.exact()
  Plan.exact(exact)
  local net = parity.network(case)
  parity.draw(net)
  parity.forward(net, case, get)
  local loss, result = parity.step(net, parity.images(case))
  Plan.exact(before)
  parity.loss(case, get, loss)
  if not whole(case) or isa == "avx512" or (isa == "avx2" and exact) then parity.summary(case, get, result) end
end

TestGoldenModels = {}

golden.tests(TestGoldenModels, cases, function(case) compare(case, false) end)

-- The networks with the most 3x3 convolutions once more with the kernels of least rounding; with those of AVX2 all of them.
for _, case in ipairs(cases) do
  if case.name == "vgg16" or case.name == "resnet50" or (whole(case) and isa == "avx2") then
    TestGoldenModels["test_" .. case.name .. "_exact"] = function() compare(case, true) end
  end
end

os.exit(lu.LuaUnit.run())
