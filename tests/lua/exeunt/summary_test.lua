-- The table that print(net) shows.

local lu = require "luaunit"
local ex = require "exeunt"

TestSummary = {}

function TestSummary.test_table()
  local net = ex.exits.anticipate(ex.models.vgg { input = { 1, 8, 8 }, classes = 3, widths = { 4, 16 }, depths = 1 })
  net:freeze "features.0.*"
  lu.assertEquals(tostring(net), [[
network: input (N, 1, 8, 8), 3 classes, 2 exits
layer               operator         output         parameters   MACs
------------------  ---------------  -------------  ----------  -----  -------
features.0          conv2d           (N, 4, 8, 8)           36  2,304  frozen
features.1          batch_norm       (N, 4, 8, 8)            8
features.2          relu             (N, 4, 8, 8)
features.3          max_pool2d       (N, 4, 4, 4)                      stage 1
exits.1.avgpool     global_avg_pool  (N, 4)
exits.1.classifier  linear           (N, 3)                 15     12  exit1
features.4          conv2d           (N, 16, 4, 4)         576  9,216
features.5          batch_norm       (N, 16, 4, 4)          32
features.6          relu             (N, 16, 4, 4)
features.7          max_pool2d       (N, 16, 2, 2)                     stage 2
exits.2.avgpool     global_avg_pool  (N, 16)
exits.2.classifier  linear           (N, 3)                 51     48  exit2
total: 718 parameters, 11,580 MACs, 6.6 KiB of activations for one image
loss weights 0.5 0.5; vote weights 0.5 0.5]])
  lu.assertEquals(tostring(net.exits[2]), "exit2: exits.2.classifier, after stage 2")
end

function TestSummary.test_shared_parameters_count_once()
  local net = ex.network { input = { 1, 2, 2 }, classes = 4, build = function(g, x)
    local flat = ex.nn.flatten()(g, "flatten", x)
    local first = ex.nn.linear { out = 4, bias = false }(g, "first", flat)
    return g:node("again", "linear", { first, g:find "first.weight" })
  end }
  local rows = require("exeunt.summary").rows(net)
  lu.assertEquals({ rows[2][4], rows[3][4] }, { "16", "" })
  lu.assertEquals(net:cost().params, 16)
end

os.exit(lu.LuaUnit.run())
