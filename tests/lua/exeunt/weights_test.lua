-- Weights from elsewhere: files with torchvision's names, written here, into networks; what does not fit is refused with
-- a list, and a refused file changes nothing.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"
local safetensors = require "exeunt.safetensors"

TestWeights = {}

local folder

function TestWeights.setUp() folder = nets.folder() end
function TestWeights.tearDown() nets.clean(folder) end

local function path(name) return folder .. "/" .. (name or "w.safetensors") end

local function resnet(options)
  local o = { input = { 3, 16, 16 }, classes = 5, blocks = { 1, 2 }, widths = { 4, 8 }, stem = "imagenet", seed = 3 }
  for k, v in pairs(options or {}) do o[k] = v end
  return ex.models.resnet(o)
end

-- What torchvision would have for such a network: its names with other numbers.
local function foreign(net, changes)
  local all = {}
  for name, t in pairs(nets.tensors(net)) do all[name] = ex.tensor.uniform(t.shape, 0.5, 1.5, { seed = 5, stream = name }) end
  for name, t in pairs(changes or {}) do all[name] = t or nil end
  return all
end

local function write(all, name)
  safetensors.write(path(name), all)
  return path(name)
end

-- Writes a file by hand: { name, type, shape, bytes } each.
local function write_raw(entries)
  local parts, data, at = {}, {}, 0
  for i, e in ipairs(entries) do
    parts[i] = ('"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}'):format(e[1], e[2], table.concat(e[3], ","), at, at + #e[4])
    data[i], at = e[4], at + #e[4]
  end
  local header = "{" .. table.concat(parts, ",") .. "}"
  local file = assert(io.open(path(), "wb"))
  file:write(string.char(#header % 256, math.floor(#header / 256), 0, 0, 0, 0, 0, 0), header, unpack(data))
  file:close()
  return path()
end

local function names(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = x.name end
  table.sort(out)
  return out
end

-- -- All of a network -----------------------------------------------------------------------------------------------

function TestWeights.test_a_whole_network()
  local net = resnet()
  local all = foreign(net)
  all["bn1.num_batches_tracked"] = ex.tensor({ 7 }, "int32")
  local file, x = write(all), nets.normal({ 2, 3, 16, 16 }, "x")
  local before = net:forward(x):clone()                       -- its plan is made before the numbers change
  local report = ex.weights.load(net, file)
  lu.assertEquals(#report.loaded, #ex.weights.compare(net, file).loaded)
  lu.assertEquals({ report.missing, report.extra, report.misshapen, report.kept, report.unused }, { {}, {}, {}, {}, {} })
  lu.assertEquals(tostring(report), file .. ": " .. #report.loaded .. " tensors")
  for name, t in pairs(nets.tensors(net)) do nets.same(lu, t, all[name]) end
  local after, other = net:forward(x), resnet { seed = 9 }
  lu.assertNotEquals(nets.flat(after), nets.flat(before))
  ex.weights.load(other, file)
  nets.same(lu, other:forward(x), after)
end

-- float16 and bfloat16: 1, -2, 0.5 and 0.
function TestWeights.test_sixteen_bits()
  local net = ex.network { input = { 1, 2, 2 }, classes = 2, seed = 1, build = function(g, x)
    return ex.nn.linear { out = 2 }(g, "fc", ex.nn.global_avg_pool()(g, "pool", x))
  end }
  ex.weights.load(net, write_raw { { "fc.weight", "F16", { 2, 1 }, "\0\060\0\192" }, { "fc.bias", "BF16", { 2 }, "\0\063\0\0" } })
  lu.assertEquals(net.graph:tensor "fc.weight":to_list(), { { 1 }, { -2 } })
  lu.assertEquals(net.graph:tensor "fc.bias":to_list(), { 0.5, 0 })
end

function TestWeights.test_counters_of_batches_may_have_any_type()
  local net = ex.network { input = { 1, 2, 2 }, classes = 2, seed = 1, build = function(g, x)
    return ex.nn.linear { out = 2, bias = false }(g, "fc", ex.nn.global_avg_pool()(g, "pool", x))
  end }
  local file = write_raw { { "fc.weight", "F16", { 2, 1 }, "\0\060\0\192" }, { "bn.num_batches_tracked", "I64", {}, ("\0"):rep(8) } }
  lu.assertEquals(ex.weights.load(net, file).extra, {})
  file = write_raw { { "fc.weight", "F64", { 2, 1 }, ("\0"):rep(16) } }
  lu.assertErrorMsgContains(file .. ': tensor "fc.weight" is of type F64; a network\'s numbers are read from F32, F16 and BF16',
                            ex.weights.load, net, file, { partial = true })
  file = write_raw { { "fc.weight", "U8", { 2, 1 }, "ab" } }
  lu.assertErrorMsgContains("is of type U8", ex.weights.load, net, file)
end

-- -- What does not fit ----------------------------------------------------------------------------------------------

-- Two missing, one extra, one of another shape.
local function misfit(net)
  return write(foreign(net, { ["fc.bias"] = false, ["bn1.weight"] = false, ["layer9.weight"] = ex.tensor.zeros { 2, 3 },
                              ["conv1.weight"] = ex.tensor.zeros { 4, 1, 7, 7 } }))
end

function TestWeights.test_a_misfit_is_refused_with_a_list()
  local net = resnet()
  local file, before = misfit(net), {}
  for name, t in pairs(nets.tensors(net)) do before[name] = t:clone() end
  local message = nets.message(ex.weights.load, net, file)
  lu.assertStrContains(message, "weights.load: " .. file .. " does not fit this network: 2 missing: ")
  lu.assertStrContains(message, "bn1.weight (4)")
  lu.assertStrContains(message, "fc.bias (5)")
  lu.assertStrContains(message, "; 1 extra: layer9.weight (2, 3); ")
  lu.assertStrContains(message, "; 1 misshapen: conv1.weight (4, 1, 7, 7), expected (4, 3, 7, 7) (partial = true loads what fits)")
  lu.assertNil(message:find "\n")
  for name, t in pairs(nets.tensors(net)) do nets.same(lu, t, before[name]) end
end

function TestWeights.test_the_rest_of_a_long_list_is_counted()
  local changes = {}
  for i = 1, 9 do changes["other." .. i] = ex.tensor.zeros { i } end
  local net = resnet()
  local message = nets.message(ex.weights.load, net, write(foreign(net, changes)))
  lu.assertStrContains(message, "9 extra: other.1 (1), other.2 (2), other.3 (3), other.4 (4), and 5 more")
end

function TestWeights.test_a_partial_load()
  local net = resnet()
  local kept = net.graph:tensor "conv1.weight":clone()
  local report = ex.weights.load(net, misfit(net), { partial = true })
  lu.assertEquals(names(report.missing), { "bn1.weight", "fc.bias" })
  lu.assertEquals(report.extra, { { name = "layer9.weight", shape = { 2, 3 }, type = "F32" } })
  lu.assertEquals(report.misshapen, { { name = "conv1.weight", expected = { 4, 3, 7, 7 }, got = { 4, 1, 7, 7 } } })
  lu.assertStrContains(tostring(report), "1 misshapen: conv1.weight")
  nets.same(lu, net.graph:tensor "conv1.weight", kept)
  nets.same(lu, net.graph:tensor "fc.weight", foreign(net)["fc.weight"])
  lu.assertErrorMsgContains("holds nothing that fits this network: ", ex.weights.load, net, write { x = ex.tensor { 1 } },
                            { partial = true })
end

function TestWeights.test_names_that_are_skipped()
  local net = resnet()
  local kept = net.graph:tensor "fc.weight":clone()
  local report = ex.weights.load(net, misfit(net), { skip = { "fc.*", "bn1.weight", "conv?.weight", "layer9.*" } })
  lu.assertEquals({ report.missing, report.extra, report.misshapen }, { {}, {}, {} })
  table.sort(report.kept)
  lu.assertEquals(report.kept, { "bn1.weight", "conv1.weight", "fc.bias", "fc.weight" })
  nets.same(lu, net.graph:tensor "fc.weight", kept)
end

function TestWeights.test_renamed()
  local net, all = resnet(), {}
  for name, t in pairs(foreign(net)) do all["module." .. name] = t end
  all.lost = ex.tensor { 1 }
  local file = write(all)
  local function rename(name) return name ~= "lost" and name:gsub("^module%.", "") or false end
  ex.weights.load(net, file, { rename = rename })
  nets.same(lu, net.graph:tensor "fc.weight", all["module.fc.weight"])
  lu.assertErrorMsgContains("rename makes both ", ex.weights.load, net, file, { rename = function() return "fc.weight" end })
  lu.assertErrorMsgContains("rename gives number for ", ex.weights.load, net, file, { rename = function() return 1 end })
  lu.assertErrorMsgContains("rename must be", ex.weights.load, net, file, { rename = 1 })
  file = write(foreign(net, { ["fc.bias"] = false, bias = ex.tensor.zeros { 5 }, lost = ex.tensor { 1 } }))
  ex.weights.load(net, file, { rename = { bias = "fc.bias", lost = false } })
  lu.assertEquals(net.graph:tensor "fc.bias":to_list(), { 0, 0, 0, 0, 0 })
end

function TestWeights.test_refuses()
  local net, file = resnet(), write(foreign(resnet()))
  lu.assertErrorMsgContains("weights.load: expected a network, got nil", ex.weights.load, nil, file)
  lu.assertErrorMsgContains("expected the path of a safetensors file, got nil", ex.weights.load, net)
  lu.assertErrorMsgContains("No such file", ex.weights.load, net, path "none")
  lu.assertErrorMsgContains("unknown option 'partail'; did you mean 'partial'?", ex.weights.load, net, file, { partail = true })
  lu.assertErrorMsgContains("skip must be a list of patterns", ex.weights.load, net, file, { skip = { 1 } })
  lu.assertErrorMsgContains("did you mean", ex.weights.fine_tune, net, file, { stems = "all" })
  lu.assertErrorMsgContains('stem must be "all" or "convolution", got norm', ex.weights.fine_tune, net, file, { stem = "norm" })
end

-- A network file of ours, whose training left tensors of its own; damaged, it is refused.
function TestWeights.test_a_network_file()
  local net, other = resnet(), nets.stir(resnet { seed = 8 })
  require("exeunt.netfile").save(other, path(), { ["train/x"] = ex.tensor { 1 } })
  lu.assertEquals(ex.weights.load(net, path()).extra, {})
  local x = nets.normal({ 2, 3, 16, 16 }, "x")
  nets.same(lu, net:forward(x), other:forward(x))
  local bytes = nets.read(path())
  local file = assert(io.open(path(), "wb"))
  file:write(bytes:sub(1, -2), string.char(bit.bxor(bytes:byte(#bytes), 1)))
  file:close()
  lu.assertErrorMsgContains("damaged", ex.weights.load, net, path())
end

-- -- Fine-tuning ------------------------------------------------------------------------------------------------------

-- Which leaves of a network are new after fine_tune: those that are still as they were.
local function still(net, before)
  local out = {}
  for name, t in pairs(nets.tensors(net)) do
    if (t - before[name]):abs():max() == 0 then out[#out + 1] = name end
  end
  table.sort(out)
  return out
end

local function copies(net)
  local all = {}
  for name, t in pairs(nets.tensors(net)) do all[name] = t:clone() end
  return all
end

-- Weights for 3 channels and 7 classes into a network for 1 channel and 5 classes with two exits.
function TestWeights.test_fine_tuning_a_resnet()
  local all = foreign(resnet { classes = 7 })
  all["layer1.0.bn1.num_batches_tracked"] = ex.tensor({ 7 }, "int32")
  local net = ex.exits.anticipate(resnet { input = { 1, 16, 16 } })
  local before = copies(net)
  local report = ex.weights.fine_tune(net, write(all))
  local new = { "bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.weight", "conv1.weight", "exits.1.fc.bias",
                "exits.1.fc.weight", "exits.2.fc.bias", "exits.2.fc.weight" }
  lu.assertEquals(still(net, before), new)
  table.sort(report.kept)
  lu.assertEquals(report.kept, new)
  table.sort(report.unused)
  lu.assertEquals(report.unused, { "fc.bias", "fc.weight" })
  lu.assertEquals(tostring(report), ("%s: %d tensors, 9 of the network kept, 2 of the file unused"):format(path(), #report.loaded))
  for _, name in ipairs(report.loaded) do nets.same(lu, net.graph:tensor(name), all[name]) end
  lu.assertEquals(net:forward(nets.normal({ 2, 1, 16, 16 }, "x")).shape, ex.tensor.zeros({ 2, 5 }).shape)
end

function TestWeights.test_fine_tuning_with_the_stems_batch_norm()
  local net = resnet { input = { 1, 16, 16 } }
  local before = copies(net)
  ex.weights.fine_tune(net, write(foreign(resnet())), { stem = "convolution" })
  lu.assertEquals(still(net, before), { "conv1.weight", "fc.bias", "fc.weight" })
end

-- A trunk that is one numbered row: what has higher numbers, or another name, is the file's classifier.
function TestWeights.test_fine_tuning_a_vgg()
  local function vgg(channels, norm)
    return ex.models.vgg { input = { channels, 12, 12 }, classes = 4, widths = { 4, 6 }, depths = 2, batch_norm = norm, seed = 3 }
  end
  local net = ex.exits.anticipate(vgg(1, false))
  local all, before = foreign(vgg(3, false), { ["features.12.weight"] = ex.tensor.zeros { 9 },
                                               ["classifier.6.weight"] = ex.tensor.zeros { 10, 4 } }), copies(net)
  local report = ex.weights.fine_tune(net, write(all))
  lu.assertEquals(still(net, before), { "exits.1.classifier.bias", "exits.1.classifier.weight", "exits.2.classifier.bias",
                                        "exits.2.classifier.weight", "features.0.bias", "features.0.weight" })
  table.sort(report.unused)
  lu.assertEquals(report.unused, { "classifier.6.weight", "classifier.bias", "classifier.weight", "features.12.weight" })
  local message = nets.message(ex.weights.fine_tune, vgg(1, true), path())
  lu.assertStrContains(message, "weights.fine_tune: " .. path() .. " holds nothing that fits this network: 14 missing: ")
end

-- A deeper network of the same family is another network, though all that is wanted is in it.
function TestWeights.test_fine_tuning_from_another_network()
  local file = write(foreign(resnet { blocks = { 2, 2 } }))
  local net = resnet()
  local before = copies(net)
  lu.assertErrorMsgContains("10 extra: layer1.1.", ex.weights.fine_tune, net, file)
  lu.assertEquals(#still(net, before), #ex.weights.compare(net, file).loaded)
  ex.weights.fine_tune(net, file, { partial = true })
  ex.weights.fine_tune(net, file, { skip = { "layer1.1.*" } })
  lu.assertErrorMsgContains("4 missing: layer2.2.bn1.weight (8), ", ex.weights.fine_tune, resnet { blocks = { 1, 3 } }, file,
                            { skip = { "layer1.1.*", "*.conv?.weight", "*running*" } })
  local flat = ex.network { input = { 1, 2, 2 }, classes = 2, seed = 1, build = function(g, x)
    return ex.nn.linear { out = 2 }(g, "fc", ex.nn.global_avg_pool()(g, "pool", x))
  end }
  lu.assertErrorMsgContains("marks no stages", ex.weights.fine_tune, flat, file)
end

os.exit(lu.LuaUnit.run())
