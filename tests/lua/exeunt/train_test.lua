-- Training: losses fall, the best weights stay, early stopping, schedules of weights and of pruning, resuming, refusals.
-- Tiny networks on tiny images; nothing here depends on time.
local lu = require "luaunit"
local ex = require "exeunt"
local checkpoint = require "exeunt.checkpoint"
local context = require "exeunt.context"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local tiny = dofile "tests/support/tiny.lua"

TestTrain = {}

local data = tiny.data()

local function options(more)
  local o = { optimizer = ex.optim.adam { lr = 0.01 }, epochs = 3, batch = 16, seed = 7, quiet = true }
  for k, v in pairs(more or {}) do o[k] = v end
  return o
end

local function train(net, more) return ex.train(net, data, options(more)) end

function TestTrain:setUp()
  ex.seed(1)
  context.leave()
end

function TestTrain:test_the_loss_falls_and_the_vote_learns()
  local net = tiny.net()
  local fit = train(net, { epochs = 8, weights = "mix" })
  lu.assertEquals(fit.epochs, 8)
  lu.assertTrue(fit.history[8].loss < 0.75 * fit.history[1].loss)
  lu.assertTrue(fit.best.vote.val_top1 > 0.9)
  lu.assertEquals(#fit.history[1].exits, 2)
  lu.assertEquals(fit.name, "train1")
end

function TestTrain:test_the_total_is_the_weighted_sum_of_the_exits_losses()
  local fit = train(tiny.net(), { epochs = 1, weights = { loss = { 0.75, 0.25 }, vote = { 0.5, 0.5 } } })
  local line = fit.history[1]
  lu.assertAlmostEquals(line.loss, 0.75 * line.exits[1].loss + 0.25 * line.exits[2].loss, 1e-6)
  lu.assertAlmostEquals(line.val_loss, 0.75 * line.exits[1].val_loss + 0.25 * line.exits[2].val_loss, 1e-12)
end

function TestTrain:test_the_networks_graph_is_left_as_it_is()
  local net = tiny.net()
  local before = tostring(net.graph)
  train(net, { epochs = 1 })
  lu.assertEquals(tostring(net.graph), before)
end

function TestTrain:test_a_and_b_stay_in_the_network()
  local net = tiny.net()
  train(net, { epochs = 1, weights = "mix" })
  lu.assertEquals(net.loss_weights, { 2 / 3, 1 / 3 })
  lu.assertEquals(net.vote_weights, { 1 / 3, 2 / 3 })
end

function TestTrain:test_the_best_weights_are_those_of_the_best_epoch()
  -- The schedule makes the third epoch ruin the network: its learning rate is far too large.
  local net = tiny.net()
  local function ruin(_, _, epoch) return epoch < 3 and 1 or 300 end
  local fit = train(net, { epochs = 3, schedule = ruin })
  lu.assertTrue(fit.history[3].vote.val_top1 < fit.best.vote.val_top1)
  lu.assertEquals(ex.evaluate(net, data.validation).top1, fit.best.vote.val_top1)
end

function TestTrain:test_equal_scores_keep_the_first()
  local fit = train(tiny.net(), { epochs = 4, optimizer = ex.optim.sgd { lr = 0 } })
  lu.assertEquals(fit.best.epoch, 1)
end

function TestTrain:test_early_stopping_counts_epochs_without_a_better_validation_loss()
  local still = ex.optim.sgd { lr = 0 }              -- and no batch norm, so that nothing moves at all
  local fit = train(tiny.net { batch_norm = false }, { epochs = 9, optimizer = still, early_stopping = { patience = 2 } })
  lu.assertEquals(fit.epochs, 3)
  lu.assertTrue(fit.stopped_early)
end

function TestTrain:test_validation_every_other_epoch_and_at_the_end()
  local fit = train(tiny.net(), { epochs = 3, validate_every = 2 })
  local validated = {}
  for i, line in ipairs(fit.history) do validated[i] = line.vote.val_top1 ~= nil end
  lu.assertEquals(validated, { false, true, true })
end

function TestTrain:test_the_scheme_is_asked_before_each_epoch_and_keeps_state()
  local asked = {}
  local function scheme(exits, epoch, metrics, state)
    state.calls = (state.calls or 0) + 1
    asked[epoch] = { #exits, metrics and metrics.epoch, state.calls }
    local a = epoch / 10
    return { a, 1 - a }, { 0.5, 0.5 }
  end
  local fit = train(tiny.net(), { weights = scheme })
  lu.assertEquals(asked, { { 2, nil, 1 }, { 2, 1, 2 }, { 2, 2, 3 } })
  lu.assertEquals(fit.history[2].loss_weights, { 0.2, 0.8 })
end

function TestTrain:test_the_pruning_schedule_cuts_the_network_between_epochs()
  local net = tiny.net()
  local fit = train(net, { epochs = 3, optimizer = ex.optim.sgd { lr = 0.05, momentum = 0.9 }, schedule_prune = function(n, metrics)
    if metrics.epoch == 1 then return n:keep { 1 } end
  end })
  lu.assertEquals({ #fit.history[1].exits, #fit.history[2].exits, #fit.history[3].exits }, { 2, 1, 1 })
  lu.assertTrue(#net.exits == #fit.best.exits)       -- the kept epoch's network, whichever it was
end

function TestTrain:test_frozen_parameters_do_not_move()
  local net = tiny.net()
  net:freeze "features.*"
  local before = net.graph:tensor "features.0.weight":to_list()
  train(net, { epochs = 1 })
  lu.assertEquals(net.graph:tensor "features.0.weight":to_list(), before)
end

function TestTrain:test_clipping_bounds_the_step()
  -- Plain SGD with rate 1: the distance that all parameters move in one step is the norm of the gradient, at most `clip`.
  local net = tiny.net()
  local before = {}
  for _, p in ipairs(net:parameters()) do before[p.name] = p.tensor:clone() end
  ex.train(net, tiny.data { train = 16 }, options { epochs = 1, optimizer = ex.optim.sgd { lr = 1 }, clip = 0.01 })
  local sum = 0
  for _, p in ipairs(net:parameters()) do
    local moved = p.tensor - before[p.name]
    sum = sum + (moved * moved):sum()
  end
  lu.assertTrue(sum > 0)
  lu.assertTrue(math.sqrt(sum) < 0.0101)
end

function TestTrain:test_class_weights_change_what_is_learned()
  local plain = train(tiny.net(), { epochs = 1 }).history[1]
  local weighted = tiny.data()
  weighted.class_weights = { 4, 1, 1, 1 }
  local line = ex.train(tiny.net(), weighted, options { epochs = 1 }).history[1]
  lu.assertNotEquals(line.loss, plain.loss)
end

function TestTrain:test_the_same_seed_gives_the_same_numbers_and_another_does_not()
  local function losses(seed)
    ex.seed(3)
    return train(tiny.net(), { name = "same", epochs = 2, seed = seed, augment = { shift = 1, flip = true } }).history[2].loss
  end
  lu.assertEquals(losses(5), losses(5))
  lu.assertNotEquals(losses(5), losses(6))
end

-- -- Files --------------------------------------------------------------------------------------------------

local function weights_of(net)
  local out = {}
  for _, p in ipairs(net:parameters()) do out[p.name] = p.tensor:to_list() end
  return out
end

function TestTrain:test_files_only_where_a_folder_is_given()
  local folder = tiny.folder()
  local net = tiny.net()
  train(net, { out = folder, epochs = 2 })
  lu.assertEquals(file.list(folder), { "best.safetensors", "last.safetensors", "train1.best.safetensors", "train1.last.safetensors" })
  lu.assertEquals(weights_of(ex.load(folder)), weights_of(net))
  local record = checkpoint.open(folder .. "/train1.last.safetensors").record
  lu.assertEquals({ record.epoch, record.batch, record.finished }, { 2, 0, true })
  tiny.remove(folder)
end

-- Trains in a run's context; `stop` counts batches before the process is as if killed (the loader raises).
local function in_run(folder, resume, stop, more)
  context.enter { folder = folder, seed = 7, resume = resume }
  ex.seed(7)
  local net, d = tiny.net(), tiny.data()
  if stop then tiny.stop_after(d.train, stop) end
  local ok, fit = pcall(ex.train, net, d, options(more))
  context.leave()
  return ok, fit, net
end

-- Three epochs of 6 batches; killed in the second epoch, and resumed: the same bytes, whatever checkpoints there were.
local function same_bytes(more)
  local whole, broken = tiny.folder(), tiny.folder()
  lu.assertTrue((in_run(whole, false, nil, more)))
  local ok, why = in_run(broken, false, 8, more)
  lu.assertFalse(ok)
  lu.assertStrContains(why, "as if killed")
  local resumed, fit = in_run(broken, true, nil, more)
  lu.assertTrue(resumed, tostring(fit))
  for _, what in ipairs { "best", "last" } do
    local name = "/train1." .. what .. ".safetensors"
    lu.assertEquals(file.digest(broken .. name), file.digest(whole .. name), what)
  end
  lu.assertEquals(#fit.history, 3)
  tiny.remove(whole)
  tiny.remove(broken)
end

function TestTrain:test_resuming_from_the_last_epoch_gives_the_same_bytes()
  same_bytes { weights = "mix" }
end

function TestTrain:test_resuming_in_the_middle_of_an_epoch_gives_the_same_bytes()
  same_bytes { checkpoint_seconds = 0, schedule = "one_cycle", augment = { shift = 1, flip = true } }
end

function TestTrain:test_state_of_a_scheme_survives()
  same_bytes { checkpoint_seconds = 0, optimizer = ex.optim.sgd { lr = 0.05, momentum = 0.9 }, weights = function(_, _, metrics, state)
    state.seen = state.seen or { 0.1 }
    state.seen[#state.seen + 1] = metrics and metrics.val_loss or 1 / 3
    local a = 1 / (1 + #state.seen + state.seen[#state.seen])
    return { a, 1 - a }, { 1 - a, a }
  end }
end

local function prune_after_the_first(net, metrics)
  if metrics.epoch == 1 then return net:keep { 2 } end
end

function TestTrain:test_a_pruned_training_resumes()
  same_bytes { schedule_prune = prune_after_the_first }
end

-- Files hold no head, yet the script's network has it after what was pruned came back from one: exits can be put anew.
function TestTrain:test_a_pruned_training_leaves_the_networks_head()
  local folder, more = tiny.folder(), { schedule_prune = prune_after_the_first }
  local function anticipates(resume)
    local ok, fit, net = in_run(folder, resume, nil, more)
    lu.assertTrue(ok, tostring(fit))
    lu.assertEquals(#net.exits, 1)
    ex.exits.anticipate(net)
    lu.assertEquals(#net.exits, 2)
  end
  anticipates(false)
  anticipates(true)                                   -- finished: returns at once
  tiny.remove(folder)
  folder = tiny.folder()
  lu.assertFalse((in_run(folder, false, 8, more)))    -- killed in the second epoch
  anticipates(true)
  tiny.remove(folder)
end

function TestTrain:test_a_finished_training_returns_at_once()
  local folder = tiny.folder()
  local _, first, net = in_run(folder, false)
  local ok, again, other = in_run(folder, true, 0)    -- not a single batch may be asked for
  lu.assertTrue(ok, tostring(again))
  lu.assertEquals(json.encode(again.history), json.encode(first.history))
  lu.assertEquals(weights_of(other), weights_of(net))
  tiny.remove(folder)
end

function TestTrain:test_changed_data_are_refused_by_name()
  local folder = tiny.folder()
  in_run(folder, false)
  context.enter { folder = folder, seed = 7, resume = true }
  local changed = tiny.data()
  changed.checksum = "another"
  lu.assertErrorMsgContains("the data tiny has changed", ex.train, tiny.net(), changed, options())
  tiny.remove(folder)
end

function TestTrain:test_a_truncated_checkpoint_is_named()
  local folder = tiny.folder()
  in_run(folder, false)
  local path = folder .. "/train1.last.safetensors"
  local text = file.read(path)
  file.write(path, text:sub(1, #text - 5))
  local ok, why = in_run(folder, true)
  lu.assertFalse(ok)
  lu.assertStrContains(why, path)
  lu.assertStrContains(why, "; take that file away, and --resume begins this training anew")
  lu.assertNotStrContains(why, "\n")
  os.remove(path)
  lu.assertTrue((in_run(folder, true)))
  lu.assertEquals(#file.read(path), #text)
  tiny.remove(folder)
end

function TestTrain:test_a_network_file_is_no_checkpoint()
  local folder = tiny.folder()
  tiny.net():save(folder .. "/train1.last.safetensors")
  local ok, why = in_run(folder, true)
  lu.assertFalse(ok)
  lu.assertStrContains(why, "not a training checkpoint")
  tiny.remove(folder)
end

-- -- What goes wrong ------------------------------------------------------------------------------------------

function TestTrain:test_a_loss_that_is_not_finite_stops_and_leaves_the_last_good_checkpoint()
  local folder = tiny.folder()
  local function explode(_, _, epoch) return epoch == 1 and 1 or 1e30 end
  local ok, why = in_run(folder, false, nil, { schedule = explode, optimizer = ex.optim.sgd { lr = 0.1 } })
  lu.assertFalse(ok)
  lu.assertStrMatches(why, "train1: epoch 2, step %d+: '[%w_.]+' is %-?%w+: the first value .*")       -- the step once
  lu.assertStrContains(why, "the last good checkpoint is " .. folder .. "/train1.last.safetensors")
  lu.assertEquals(checkpoint.open(folder .. "/train1.last.safetensors").record.epoch, 1)
  for _, p in ipairs(ex.load(folder):parameters()) do
    local sum = p.tensor:sum()
    lu.assertTrue(sum == sum and math.abs(sum) < math.huge, p.name)
  end
  tiny.remove(folder)
end

function TestTrain:test_refusals()
  local net = tiny.net()
  local function refused(text, more) lu.assertErrorMsgContains(text, train, net, more) end
  refused("did you mean 'epochs'", { epoch = 3 })
  refused("epochs must be a whole number", { epochs = 0 })
  refused("batch must be a whole number", { batch = 1.5 })
  refused("optimizer must come from ex.optim", { optimizer = "adam" })
  refused("patience must be", { early_stopping = { patience = 0 } })
  refused("clip must be a number above 0", { clip = -1 })
  refused("did you mean 'mix'?", { weights = "mux" })
  refused("3 numbers for 2 exits", { weights = { loss = { 0.2, 0.4, 0.4 }, vote = { 0.5, 0.5 } } })
  refused("name must be letters", { name = "../x" })
  refused("schedule must be", { schedule = "linear" })
  lu.assertErrorMsgContains("must be a network", ex.train, {}, data, options())
  lu.assertErrorMsgContains("must come from ex.data.open", ex.train, net, {}, options())
  local frozen = tiny.net()
  frozen:freeze "*"
  lu.assertErrorMsgContains("every parameter is frozen", train, frozen)
  lu.assertErrorMsgContains("cannot be kept in a file", train, net, { weights = function(_, _, _, state)
    state.f = print
    return { 0.5, 0.5 }, { 0.5, 0.5 }
  end })
end

function TestTrain:test_a_label_that_is_no_class_is_named()
  for _, split in ipairs { "train", "validation" } do
    for _, label in ipairs { 4, -1 } do
      local wrong = tiny.data()
      wrong[split].labels[3] = label
      lu.assertErrorMsgContains(("train: labels[3] of the %s split is %d, the classes are 0 to 3"):format(split, label), ex.train,
                                tiny.net(), wrong, options())
    end
  end
end

function TestTrain:test_a_fit_of_one_epoch_says_so()
  lu.assertStrContains(tostring(train(tiny.net(), { epochs = 1 })), "train1: 1 epoch; kept epoch 1")
end

function TestTrain:test_data_of_another_shape_are_refused()
  local wide = tiny.data()
  wide.shape = { 3, 8, 8 }
  lu.assertErrorMsgContains("expects images of 1x8x8, the data has 3x8x8", ex.train, tiny.net(), wide, options())
  local more = tiny.data()
  more.classes = 5
  lu.assertErrorMsgContains("has 4 classes, the data 5", ex.train, tiny.net(), more, options())
end

os.exit(lu.LuaUnit.run())
