-- Network files: what is saved comes back, and everything that a foreign or damaged file may say is refused.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

local netfile = require "exeunt.netfile"
local safetensors = require "exeunt.safetensors"
local json = require "exeunt.report.json"

TestNetfile = {}

local folder

function TestNetfile.setUp() folder = nets.folder() end
function TestNetfile.tearDown() nets.clean(folder) end

local function path(name) return folder .. "/" .. (name or "net.safetensors") end

local x = nets.normal({ 3, 2, 12, 12 }, "x")

local function sample()
  local net = nets.vgg()
  net.vote_weights, net.loss_weights = { 1 / 6, 2 / 6, 3 / 6 }, { 3 / 6, 2 / 6, 1 / 6 }
  net.class_names = { "a", "b", 'c "d"', "é" }
  net.normalisation = { mean = { .1, .2 }, std = { .3, 1 / 3 } }
  net:freeze "features.1.*"
  return net
end

local function assert_same_network(a, b)
  lu.assertEquals(tostring(a), tostring(b))
  for _, k in ipairs { "input", "classes", "class_names", "normalisation", "stages", "exits", "loss_weights", "vote_weights", "seed" } do
    lu.assertEquals(a[k], b[k], k)
  end
  nets.same(lu, a:forward(x), b:forward(x))
end

function TestNetfile.test_round_trip()
  local net = sample()
  net:save(path())
  local back, extra = netfile.load(path())
  assert_same_network(back, net)
  lu.assertEquals(extra.tensors, {})
  lu.assertFalse(back.graph:trainable "features.1.weight")
  lu.assertNil(back.head)
  lu.assertEquals(back:classify(nets.bytes({ 2, 12, 12 }, "i")).name, net:classify(nets.bytes({ 2, 12, 12 }, "i")).name)
end

function TestNetfile.test_saved_again_it_has_the_same_bytes()
  sample():save(path "a")
  netfile.load(path "a"):save(path "b")
  lu.assertTrue(nets.read(path "a") == nets.read(path "b"))
end

-- A bit here and there, in the header and in the numbers: the file is refused, or (in the digest's own name) says the same.
function TestNetfile.test_a_flipped_bit_is_noticed()
  local net, refused = sample(), 0
  net:save(path())
  local bytes = nets.read(path())
  for at = 1, #bytes, 53 do
    local file = assert(io.open(path "flipped", "wb"))
    file:write(bytes:sub(1, at - 1), string.char(bit.bxor(bytes:byte(at), 2 ^ (at % 8))), bytes:sub(at + 1))
    file:close()
    local ok, back = pcall(netfile.load, path "flipped")
    if ok then
      assert_same_network(back, net)
    else
      refused = refused + 1
      lu.assertStrContains(tostring(back), path "flipped")
    end
  end
  lu.assertTrue(refused >= #bytes / 53 - 2, refused)
end

function TestNetfile.test_a_damaged_number_is_told_in_words()
  sample():save(path())
  local bytes = nets.read(path())
  local file = assert(io.open(path(), "wb"))
  file:write(bytes:sub(1, -2), string.char(bit.bxor(bytes:byte(-1), 1)))
  file:close()
  lu.assertEquals(nets.message(netfile.load, path()),
                  path() .. ": damaged: what it holds is not what was written (its sha256 does not fit)")
end

function TestNetfile.test_every_model_comes_back()
  local models = { ex.models.lenet {}, ex.models.resnet { depth = 8 }, ex.models.resnet { depth = 8, shortcut = "identity" },
                   ex.exits.anticipate(ex.models.vgg { batch_norm = false, depths = 1 }) }
  for _, net in ipairs(models) do
    net:save(path "a")
    local back = ex.load(path "a")
    lu.assertEquals(tostring(back), tostring(net))
    back:save(path "b")
    lu.assertTrue(nets.read(path "a") == nets.read(path "b"))
  end
end

function TestNetfile.test_pruned_networks_come_back()
  local cut = sample():keep { 1, 3 }
  cut:save(path())
  local back = netfile.load(path())
  assert_same_network(back, cut)
  lu.assertEquals({ back.exits[1].name, back.exits[2].name }, { "exit1", "exit3" })
  nets.same(lu, back:keep({ "exit3" }):forward(x), select(2, cut:forward(x))[2])
end

function TestNetfile.test_weights_keep_their_logical_order()
  local net = sample()
  net:save(path())
  nets.same(lu, safetensors.read(path()).tensors["features.4.weight"], net.graph:tensor "features.4.weight")
end

function TestNetfile.test_a_loaded_network_needs_a_head_for_new_exits()
  sample():save(path())
  local back = ex.load(path())
  lu.assertStrContains(nets.message(ex.exits.anticipate, back), "a network file does not hold one")
  ex.exits.anticipate(back, { after = { 1 }, head = function(g, prefix, value, _, classes)
    return ex.nn.sequential { ex.nn.global_avg_pool(), ex.nn.linear { out = classes } }(g, prefix, value)
  end })
  lu.assertEquals(#back.exits, 2)
end

function TestNetfile.test_checkpoints_carry_more()
  local velocity = nets.normal({ 4, 2, 3, 3 }, "v")
  netfile.save(sample(), path(), { ["optim/features.0.weight/velocity"] = velocity }, { training = "epoch 3" })
  local back, extra = netfile.load(path())
  assert_same_network(back, sample())
  nets.same(lu, extra.tensors["optim/features.0.weight/velocity"], velocity)
  lu.assertEquals(extra.metadata.training, "epoch 3")
  lu.assertEquals(nets.message(netfile.save, back, path(), { velocity = velocity }),
                  'save: the tensor velocity must be named "train/..." or "optim/..."')
  lu.assertEquals(nets.message(netfile.save, back, path(), {}, { ["exeunt.network"] = "" }),
                  "save: the metadata exeunt.network is the network's own")
end

-- An operator of the test's own, so that a file can name what this process does not know.
function TestNetfile.test_operators_written_in_lua()
  local twice = ex.op.define { name = "test_twice", elementwise = true,
    forward = function(out, inp, _, n) for i = 0, n - 1 do out[i] = 2 * inp[i] end end }
  local net = ex.network { input = { 1, 2, 2 }, classes = 4, build = function(g, v)
    return twice(g, "twice", ex.nn.flatten()(g, "flatten", v))
  end }
  net:save(path())
  local image = nets.normal({ 1, 2, 2 }, "i")
  nets.same(lu, ex.load(path()):forward(image), net:forward(image))
end

-- -- Damaged and foreign files ----------------------------------------------------------------------------

-- The message for a file whose description, tensors or metadata `change` has altered.
local function refused(change)
  sample():keep({ 1 }):save(path "good")
  local good = safetensors.read(path "good")
  local d = json.decode(good.metadata["exeunt.network"])
  local file = { tensors = good.tensors, metadata = {}, text = nil }
  change(d, file)
  file.metadata["exeunt.network"] = file.text or json.encode(d)
  safetensors.write(path "bad", file.tensors, file.metadata)
  local message = nets.message(netfile.load, path "bad")
  lu.assertStrContains(message, path "bad" .. ": ")
  lu.assertNil(message:find "\n")
  return (message:gsub("^.-/bad: network: ", ""))
end

function TestNetfile.test_refuses_fields()
  local cases = {
    { "format is missing", function(d) d.format = nil end },
    { "the file's format is version 2, this program reads version 1", function(d) d.format = 2 end },
    { "colour is unknown", function(d) d.colour = 1 end },
    { "classes is missing", function(d) d.classes = nil end },
    { "classes must be a whole number from 1 on", function(d) d.classes = 2.5 end },
    { "input must have 3 elements, got 2", function(d) d.input = { 2, 12 } end },
    { "input[2] must be a whole number from 1 on", function(d) d.input[2] = "12" end },
    { "class_names has 3 elements, expected 4", function(d) d.class_names[4] = nil end },
    { "normalisation.std[1] must be a positive number", function(d) d.normalisation.std[1] = 0 end },
    { "normalisation.mean has 1 elements, expected 2", function(d) d.normalisation.mean[2] = nil end },
    { "exits must have 1 or more elements, got 0", function(d) d.exits = json.list() end },
    { "exits[1].name must be a text", function(d) d.exits[1].name = 7 end },
    { "exits[1].colour is unknown", function(d) d.exits[1].colour = 7 end },
    { "exits[1].stage: there is no stage 9", function(d) d.exits[1].stage = 9 end },
    { "exits[1]: the graph makes no value nothing", function(d) d.exits[1].logits = "nothing" end },
    { "exits[1]: features.0 is not logits (N, 4)", function(d) d.exits[1].logits = "features.0" end },
    { "exits[2].name: exit1 stands there twice", function(d)
        d.exits[2], d.loss_weights, d.vote_weights = d.exits[1], { .5, .5 }, { .5, .5 }
      end },
    { "loss_weights: 2 numbers for 1 exits", function(d) d.loss_weights = { .5, .5 } end },
    { "vote_weights[1] must be a positive number", function(d) d.vote_weights = { -1 } end },
    { "vote_weights: the numbers must sum to 1, they sum to 3", function(d) d.vote_weights = { 3 } end },
    { "stages[1]: the graph makes no value x", function(d) d.stages[1] = "x" end },
    { "nodes must be a list", function(d) d.nodes = { a = 1 } end },
    { "nodes[1].op must be a text", function(d) d.nodes[1].op = 3 end },
    { "nodes[1].attrs.stride[1] must be a finite number", function(d) d.nodes[1].attrs.stride = { "1" } end },
    { "leaves[1].kind must be parameter or buffer", function(d) d.leaves[1].kind = "input" end },
    { "leaves[1].frozen must be true or false", function(d) d.leaves[1].frozen = 1 end },
  }
  for _, case in ipairs(cases) do lu.assertEquals(refused(case[2]), case[1]) end
  lu.assertStrContains(refused(function(_, f) f.text = "{" end), "not JSON")
  lu.assertStrContains(refused(function(_, f) f.text = ("["):rep(100000) end), "not JSON")
  lu.assertEquals(refused(function(d, f) f.text = json.encode(d):gsub('"mean": %[.-%]', '"mean": [nan, 1]') end),
                  "normalisation.mean[1] must be a finite number")
  lu.assertEquals(refused(function(_, f) f.text = "[1, 2]" end), "format is missing")
end

function TestNetfile.test_refuses_graphs()
  lu.assertStrContains(refused(function(d) d.nodes[1].op = "conv3d" end), "nodes[1]: features.0: no operator 'conv3d'")
  lu.assertStrContains(refused(function(d) d.nodes[1].op = "my_loss" end), "must be defined before the file is loaded")
  lu.assertStrContains(refused(function(d) d.nodes[1].inputs[2] = nil end), "nodes[1]: features.0: conv2d: ")
  lu.assertStrContains(refused(function(d) d.nodes[1].attrs.colour = { 1 } end), "nodes[1]: features.0: conv2d: ")
  lu.assertStrContains(refused(function(d) d.nodes[2].name = "features.0" end), "nodes[2]: ")
  lu.assertEquals(refused(function(d) d.nodes[2].inputs[1] = "features.2" end),
                  "nodes[2] (features.1): nothing before it makes its input features.2")
  lu.assertEquals(refused(function(d) d.leaves[2] = d.leaves[1] end),
                  "leaves[2] (features.0.weight): the name stands there twice")
end

function TestNetfile.test_refuses_tensors()
  local name = "features.0.weight"
  lu.assertEquals(refused(function(_, f) f.tensors[name] = nil end), "leaves[1] (features.0.weight): the file has no such tensor")
  lu.assertEquals(refused(function(_, f) f.tensors[name] = ex.tensor.zeros { 4, 2, 3, 2 } end),
                  "leaves[1] (features.0.weight): the tensor is (4, 2, 3, 2), the graph expects (4, 2, 3, 3)")
  lu.assertEquals(refused(function(_, f) f.tensors[name] = ex.tensor.zeros({ 4, 2, 3, 3 }, "int32") end),
                  "leaves[1] (features.0.weight): the tensor is int32, expected float32")
  lu.assertEquals(refused(function(_, f) f.tensors.stray = ex.tensor.zeros { 1 } end),
                  "the tensor stray belongs to nothing in the graph")
  lu.assertStrContains(refused(function(d, f)          -- a shape that the graph's operators refuse
    d.leaves[1].shape = { 4, 3, 3, 3 }
    f.tensors[name] = ex.tensor.zeros { 4, 3, 3, 3 }
  end), "nodes[1]: features.0: conv2d: input has 2 channels, weight expects 3")
end

function TestNetfile.test_refuses_what_is_no_network_file()
  safetensors.write(path "foreign", { w = ex.tensor.zeros { 2 } }, {})
  lu.assertEquals(nets.message(netfile.load, path "foreign"),
                  path "foreign" .. ': a safetensors file, but not of a network: its metadata has no "exeunt.network"')
  sample():save(path "whole")
  local bytes = nets.read(path "whole")
  local f = io.open(path "cut", "wb")
  f:write(bytes:sub(1, #bytes - 100))
  f:close()
  lu.assertStrContains(nets.message(netfile.load, path "cut"), path "cut")
  lu.assertStrContains(nets.message(netfile.load, path "none"), path "none")
end

os.exit(lu.LuaUnit.run())
