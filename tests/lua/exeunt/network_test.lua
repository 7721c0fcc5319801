-- Networks: made by hand, parameters, freezing, forward and classify, keep, clone, errors with their place.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestNetwork = {}

local nn = ex.nn

local function by_hand(build, options)
  local o = { input = { 2, 8, 8 }, classes = 3, seed = 5, build = build }
  for k, v in pairs(options or {}) do o[k] = v end
  return ex.network(o)
end

local function plain(g, x)
  return nn.sequential { nn.conv2d { out = 4, kernel = 3 }, nn.relu(), nn.global_avg_pool(), nn.linear { out = 3 } }(g, "body", x)
end

function TestNetwork.test_by_hand()
  local net = by_hand(plain)
  lu.assertEquals(net.exits, { { name = "exit1", logits = "body.3" } })
  lu.assertEquals({ net.stages, net.loss_weights, net.vote_weights }, { {}, { 1 }, { 1 } })
  lu.assertEquals({ net:cost().params, net:cost().macs }, { 4 * 2 * 9 + 4 + 12 + 3, 36 * 4 * 18 + 12 })
end

function TestNetwork.test_parameters_depend_on_seed_and_name_alone()
  local first = by_hand(plain).graph:tensor "body.3.weight"
  nets.same(lu, by_hand(plain).graph:tensor "body.3.weight", first)
  lu.assertNotEquals(nets.flat(by_hand(plain, { seed = 6 }).graph:tensor "body.3.weight"), nets.flat(first))
  local longer = by_hand(function(g, x) return plain(g, nn.conv2d({ out = 2, kernel = 1 })(g, "before", x)) end)
  nets.same(lu, longer.graph:tensor "body.3.weight", first)
end

-- PyTorch's default: U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weights and biases.
function TestNetwork.test_initial_bounds()
  local net = by_hand(function(g, x)
    return nn.sequential { nn.conv2d { out = 64, kernel = 3 }, nn.global_avg_pool(), nn.linear { out = 3 } }(g, "", x)
  end)
  for name, bound in pairs { ["0.weight"] = 1 / math.sqrt(18), ["0.bias"] = 1 / math.sqrt(18), ["2.weight"] = 1 / 8 } do
    local most = 0
    for _, x in ipairs(nets.flat(net.graph:tensor(name))) do most = math.max(most, math.abs(x)) end
    lu.assertTrue(most <= bound and most > 0.8 * bound, name .. ": " .. most)
  end
end

function TestNetwork.test_list_of_parameters()
  local names = {}
  for i, p in ipairs(by_hand(plain):parameters()) do
    names[i] = p.name
    lu.assertTrue(p.trainable)
  end
  lu.assertEquals(names, { "body.0.bias", "body.0.weight", "body.3.bias", "body.3.weight" })
end

function TestNetwork.test_freeze()
  local net = by_hand(plain)
  lu.assertEquals(net:freeze "body.0.*", 2)
  lu.assertEquals({ net.graph:trainable "body.0.weight", net.graph:trainable "body.3.weight" }, { false, true })
  lu.assertEquals(net:unfreeze "*.bias", 2)
  lu.assertEquals({ net.graph:trainable "body.0.bias", net.graph:trainable "body.0.weight" }, { true, false })
  lu.assertEquals(nets.message(net.freeze, net, "body.0"),
                  'freeze: no parameter is named like "body.0" (did you mean "body.0.*"?); the first of 4 is body.0.bias')
  lu.assertEquals(nets.message(net.freeze, net, "layer1.*"), 'freeze: no parameter is named like "layer1.*"; the first of 4 is body.0.bias')
  lu.assertEquals(nets.message(net.freeze, net), "freeze: expected a pattern of parameter names, got nil")
end

function TestNetwork.test_forward_of_any_batch()
  local net = nets.vgg()
  net.vote_weights = { .5, .3, .2 }
  local x = nets.normal({ 131, 2, 12, 12 }, "x")
  local vote, each = net:forward(x)
  lu.assertEquals({ vote.shape, #each, each[3].shape }, { { 131, 4 }, 3, { 131, 4 } })
  local v, z = vote:to_list(), {}
  for i = 1, 3 do z[i] = each[i]:to_list() end
  for n = 1, 131 do
    for k = 1, 4 do lu.assertAlmostEquals(v[n][k], .5 * z[1][n][k] + .3 * z[2][n][k] + .2 * z[3][n][k], 1e-5) end
  end
  for _, n in ipairs { 1, 17, 129, 131 } do           -- another plan, another place in the batch: the same bits
    local alone, parts = net:forward(x[n])
    lu.assertEquals(alone:to_list(), { v[n] })
    lu.assertEquals(parts[2]:to_list(), { z[2][n] })
  end
end

-- What an inference plan computes once (folded batch norms) outlives the first run.
function TestNetwork.test_every_run_gives_the_same_bits()
  local net = nets.stir(ex.models.vgg { input = { 1, 16, 16 } })
  local x = nets.normal({ 4, 1, 16, 16 }, "x")
  local first = net:forward(x):to_list()
  for _ = 1, 3 do lu.assertEquals(net:forward(x):to_list(), first) end
end

function TestNetwork.test_one_exit_votes_alone()
  local net = by_hand(plain)
  local vote, each = net:forward(nets.normal({ 3, 2, 8, 8 }, "x"))
  lu.assertEquals(#each, 1)
  nets.same(lu, vote, each[1])
end

function TestNetwork.test_forward_sees_changed_parameters_and_weights()
  local net = nets.vgg()
  local x = nets.normal({ 2, 2, 12, 12 }, "x")
  local before = net:forward(x):to_list()
  net.vote_weights = { 1 / 6, 2 / 6, 3 / 6 }
  local voted = net:forward(x):to_list()
  lu.assertNotEquals(voted, before)
  net.graph:tensor("features.0.weight"):copy_(nets.normal({ 4, 2, 3, 3 }, "w"))
  lu.assertNotEquals(net:forward(x):to_list(), voted)
  ex.exits.anticipate(net, { after = { 3 } })
  lu.assertEquals(#select(2, net:forward(x)), 1)
end

function TestNetwork.test_forward_refuses()
  local net = by_hand(plain)
  lu.assertEquals(nets.message(net.forward, net, nets.normal({ 1, 1, 8, 8 }, "x")),
                  "forward: images are (1, 1, 8, 8), the network takes (N, 2, 8, 8)")
  lu.assertEquals(nets.message(net.forward, net, nets.bytes({ 2, 8, 8 }, "x")),
                  "forward: images must be float32 and normalised, got uint8: net:classify takes raw images")
  lu.assertEquals(nets.message(net.forward, net, "x"), "forward: expected a tensor of images, got string")
  lu.assertEquals(nets.message(net.forward, net), "forward: expected a tensor of images, got nil (with a colon: net:forward(x))")
end

function TestNetwork.test_a_call_is_forward()
  local net, x = nets.vgg(), nets.normal({ 2, 2, 12, 12 }, "x")
  nets.same(lu, net(x), (net:forward(x)))
end

function TestNetwork.test_names_that_are_not_there()
  local net = nets.vgg()
  lu.assertEquals(nets.message(function() net:paramters() end), "a network has no 'paramters'; did you mean 'parameters'?")
  lu.assertEquals(nets.message(function() net:state_dict() end), "a network has no 'state_dict'; did you mean 'parameters'?")
  lu.assertEquals({ net.normalisation, net.class_names, net.sessions, net.nothing }, {})
  net.head = nil
  lu.assertNil(net.head)
  lu.assertEquals(nets.message(function() ex.models.vg() end), "ex.models has no 'vg'; did you mean 'vgg'?")
  lu.assertEquals(nets.message(function() ex.nn.Conv2d() end), "ex.nn has no 'Conv2d'; did you mean 'conv2d'?")
  lu.assertEquals(nets.message(function() ex.optim.Adam() end), "ex.optim has no 'Adam'; did you mean 'adam'?")
end

function TestNetwork.test_classify()
  local net = nets.vgg()
  local images = nets.bytes({ 3, 2, 12, 12 }, "images")
  lu.assertStrContains(nets.message(net.classify, net, images), "classify: the network knows no normalisation")
  net:use { classes = 4, class_names = { "shirt", "shoe", "bag", "coat" }, mean = { .2, .3 }, std = { .5, .25 } }
  local raw, x = images:to_list(), {}
  for n = 1, 3 do
    x[n] = {}
    for c = 1, 2 do
      x[n][c] = {}
      for i = 1, 12 do
        x[n][c][i] = {}
        for j = 1, 12 do x[n][c][i][j] = (raw[n][c][i][j] / 255 - ({ .2, .3 })[c]) / ({ .5, .25 })[c] end
      end
    end
  end
  local vote = net:forward(ex.tensor(x)):to_list()
  local guesses = net:classify(images)
  for n = 1, 3 do
    local sum, best = 0, 1
    for k = 1, 4 do
      sum = sum + math.exp(vote[n][k])
      if vote[n][k] > vote[n][best] then best = k end
    end
    lu.assertEquals({ guesses[n].class, guesses[n].name }, { best - 1, net.class_names[best] })
    lu.assertAlmostEquals(guesses[n].score, math.exp(vote[n][best]) / sum, 1e-5)
  end
  local one = net:classify(images[2])
  lu.assertEquals({ one.name, one.scores }, { guesses[2].name, guesses[2].scores })
  lu.assertEquals(tostring(one), ("%s (%.3f)"):format(one.name, one.score))
end

function TestNetwork.test_keep_gives_the_same_bits()
  local net = nets.vgg()
  local x = nets.normal({ 5, 2, 12, 12 }, "x")
  local _, full = net:forward(x)
  for _, set in ipairs { { 1 }, { 2 }, { 3 }, { 1, 3 }, { 1, 2, 3 } } do
    local _, kept = net:keep(set):forward(x)
    lu.assertEquals(#kept, #set)
    for i, e in ipairs(set) do nets.same(lu, kept[i], full[e]) end
  end
end

function TestNetwork.test_keep_cuts_what_only_others_needed()
  local net = nets.vgg()
  net.loss_weights, net.vote_weights = { .5, .3, .2 }, { .2, .3, .5 }
  local cut = net:keep { 2 }
  lu.assertEquals(cut.exits, { { name = "exit2", logits = "exits.2.classifier", stage = 2 } })
  lu.assertEquals(cut.stages, { "features.3", "features.7" })
  lu.assertNil(cut.graph:find "features.8")
  lu.assertNil(cut.graph:find "features.8.weight")
  lu.assertNil(cut.graph:find "exits.1.classifier")
  lu.assertEquals({ cut.loss_weights, cut.vote_weights }, { { 1 }, { 1 } })
  local two = net:keep { "exit3", "exit1" }
  lu.assertEquals({ two.exits[1].name, two.exits[2].name }, { "exit1", "exit3" })
  lu.assertAlmostEquals(two.vote_weights[1], .2 / .7, 1e-15)
  lu.assertAlmostEquals(two.loss_weights[2], .2 / .7, 1e-15)
  lu.assertEquals(#net.exits, 3)
end

function TestNetwork.test_keep_and_clone_are_independent()
  local net = nets.vgg()
  net:freeze "features.1.*"
  local x = nets.normal({ 2, 2, 12, 12 }, "x")
  local before = net:forward(x):to_list()
  local kept, clone = net:keep { 1, 3 }, net:clone()
  local cut = kept:forward(x):to_list()
  lu.assertEquals(clone:forward(x):to_list(), before)
  lu.assertFalse(clone.graph:trainable "features.1.weight")
  lu.assertFalse(kept.graph:trainable "features.1.bias")
  net.graph:tensor("features.0.weight"):copy_(nets.normal({ 4, 2, 3, 3 }, "w"))
  lu.assertNotEquals(net:forward(x):to_list(), before)
  lu.assertEquals(clone:forward(x):to_list(), before)
  lu.assertEquals(kept:forward(x):to_list(), cut)
end

function TestNetwork.test_keep_refuses()
  local net = nets.vgg()
  lu.assertEquals(nets.message(net.keep, net, { 4 }), "keep: there is no exit 4; the network has 3, exit1 to exit3")
  lu.assertEquals(nets.message(net.keep, net, { "exit9" }), "keep: there is no exit exit9; the network has 3, exit1 to exit3")
  lu.assertEquals(nets.message(net.keep, net, { 1, "exit1" }), "keep: exit exit1 is listed twice")
  lu.assertEquals(nets.message(net.keep, net, {}), "keep: expected a list of exits, such as { 1, 3 }")
end

function TestNetwork.test_a_wrong_shape_says_where()
  local function build(g, x)
    x = nn.conv2d { out = 32, kernel = 3 }(g, "layer1.0.conv1", x)
    return nn.conv2d { out = 64, kernel = 3, input = 64 }(g, "layer2.0.conv1", x)
  end
  lu.assertEquals(nets.message(by_hand, build), "layer2.0.conv1: conv2d: input has 32 channels, weight expects 64")
end

function TestNetwork.test_refuses()
  lu.assertEquals(nets.message(by_hand, function(_, x) return x end),
                  "network: what build returned: input is (N, 2, 8, 8), expected logits (N, 3)")
  lu.assertEquals(nets.message(by_hand, function() end), "network: what build returned: expected the logits (N, 3), got nil")
  lu.assertStrContains(nets.message(ex.network, { input = { 1, 2, 2 }, clases = 3, build = plain }), "classes")
  lu.assertEquals(nets.message(by_hand, plain, { classes = 0 }), "network: classes must be a whole number from 1 on, got 0")
  local net = by_hand(plain)
  lu.assertEquals(nets.message(net.use, net, { name = "digits", classes = 10 }), "the data set digits has 10 classes, the network 3")
end

os.exit(lu.LuaUnit.run())
