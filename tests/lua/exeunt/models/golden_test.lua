-- The named networks beside torchvision's, whose numbers tests/golden/models.py has summed up: logits, loss, gradients and
-- running statistics of one step with the same weights; by Winograd's method and without. A whole network has a million
-- numbers before its relus, so that now and then rounding puts one on the other side of 0 and gradients leap: there the
-- portable kernels, which sum in another order, answer for logits and loss alone. The blocks keep off the kinks.

package.path = "tests/support/?.lua;" .. package.path
local lu = require "luaunit"
local golden = require "golden"
local parity = require "parity"
local json = require "cjson"
local core = require "exeunt.core"
local Plan = require "exeunt.plan"

local portable = core.ffi.string(core.C.ex_isa_name()) == "portable"

local cases, get = golden.open "models"

local function compare(case, exact)
  local before = Plan.exact()
  Plan.exact(exact)
  local net = parity.network(case)
  parity.draw(net)
  parity.forward(net, case, get)
  local loss, result = parity.step(net, parity.images(case))
  Plan.exact(before)
  parity.loss(case, get, loss)
  if case.options ~= json.null or not portable then parity.summary(case, get, result) end
end

TestGoldenModels = {}

golden.tests(TestGoldenModels, cases, function(case) compare(case, false) end)

-- The networks with the most 3x3 convolutions once more with the kernels of least rounding.
for _, case in ipairs(cases) do
  if case.name == "vgg16" or case.name == "resnet50" then
    TestGoldenModels["test_" .. case.name .. "_exact"] = function() compare(case, true) end
  end
end

os.exit(lu.LuaUnit.run())
