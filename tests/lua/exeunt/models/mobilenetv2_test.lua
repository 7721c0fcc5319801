-- MobileNetV2: names, shapes, stages and costs against torchvision's (counted there over its own modules).

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestMobilenet = {}

function TestMobilenet.test_the_paper_s_form()
  local net = ex.models.mobilenetv2 {}
  local c = net:cost()
  lu.assertEquals({ c.params, c.macs }, { 3504872, 300774272 })
  local widths = {}
  for i, name in ipairs(net.stages) do widths[i] = net.graph:find(name).shape[2] end
  lu.assertEquals(widths, { 16, 24, 32, 96, 1280 })
end

local SMALL = { input = { 3, 32, 32 }, classes = 10, stem = 16, stem_stride = 1, last = 256, dropout = 0, stages = { 2, 3 },
                rows = { { 1, 16, 1, 1 }, { 6, 24, 2, 2 }, { 6, 32, 2, 2 }, { 6, 64, 2, 2 } } }

function TestMobilenet.test_a_small_form_with_exits()
  local net = ex.models.mobilenetv2(SMALL)
  local c = net:cost()
  lu.assertEquals({ c.params, c.macs }, { 134538, 9220608 })
  c = ex.exits.anticipate(net):cost()
  lu.assertEquals({ c.params, c.macs }, { 135118, 9221168 })
  lu.assertEquals(#net.exits, 3)
end

function TestMobilenet.test_names()
  local net = ex.models.mobilenetv2(SMALL)
  for name, shape in pairs {
    ["features.0.0.weight"] = { 16, 3, 3, 3 }, ["features.1.conv.0.0.weight"] = { 16, 1, 3, 3 }, ["features.1.conv.0.1.bias"] = { 16 },
    ["features.1.conv.1.weight"] = { 16, 16, 1, 1 }, ["features.1.conv.2.running_var"] = { 16 },
    ["features.2.conv.0.0.weight"] = { 96, 16, 1, 1 }, ["features.2.conv.1.0.weight"] = { 96, 1, 3, 3 },
    ["features.2.conv.2.weight"] = { 24, 96, 1, 1 }, ["features.2.conv.3.weight"] = { 24 }, ["features.3.add"] = { -1, 24, 16, 16 },
    ["features.8.0.weight"] = { 256, 64, 1, 1 }, ["features.8.2"] = { -1, 256, 4, 4 }, ["classifier.1.weight"] = { 10, 256 },
  } do
    lu.assertEquals((net.graph:find(name) or { shape = "no " .. name }).shape, shape)
  end
  lu.assertNil(net.graph:find "features.2.add")
  lu.assertNil(net.graph:find "classifier.0")
end

function TestMobilenet.test_refuses()
  lu.assertEquals(nets.message(ex.models.mobilenetv2, { rows = {} }),
                  "models.mobilenetv2: rows must be a list of { expand, width, count, stride }")
  lu.assertEquals(nets.message(ex.models.mobilenetv2, { rows = { { 1, 16 } } }),
                  "models.mobilenetv2: rows[1] must be { expand, width, count, stride }")
  lu.assertEquals(nets.message(ex.models.mobilenetv2, { stages = { 9 } }), "models.mobilenetv2: stages names row 9, but there are 7")
end

os.exit(lu.LuaUnit.run())
