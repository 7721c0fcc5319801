-- The named networks beside torchvision's, whose numbers tests/golden/models.py has summed up: logits, loss, gradients and
-- running statistics of one step with the same weights; by Winograd's method and without.

package.path = "tests/support/?.lua;" .. package.path
local lu = require "luaunit"
local golden = require "golden"
local parity = require "parity"
local Plan = require "exeunt.plan"

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
  parity.summary(case, get, result)
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
