-- Anticipate, ensemble and prune (AEP) on Fashion-MNIST: the engine's main job.
--
-- A convolutional network is a chain of stages with one classifier at its end. AEP (Sarti, Lomurno, Matteucci 2023)
--   anticipates: a copy of the classifier, cut to size, is attached after each earlier stage: the network has E exits;
--   trains them jointly: the loss is sum_i a_i CE(z_i, y), with z_i the logits of exit i;
--   ensembles:   the answer is a weighted vote, argmax sum_i b_i z_i;
--   prunes:      every one of the 2^E - 1 subsets of exits is scored on the validation images, the best is kept, and all
--                that served only the other exits (classifiers, and the trunk past the deepest kept exit) is cut off.
-- The scheme "mix" trains early exits hardest (a descends with depth) and trusts late ones most (b ascends).
--
-- Beside it stands the baseline: the same network with its last exit only, trained in the same way. Its trunk begins with the same
-- numbers; images come in another order, which is drawn from the seed and the training's name. The report says what the
-- exits gained or cost, whichever it is. Turn `weighting=desc`, `widths=16,32,64`, `epochs=8` and see.

local ex = require "exeunt"

return ex.recipe {
  about = "AEP on Fashion-MNIST with a small VGG of three exits, beside its single-exit baseline",
  knobs = { epochs = 4, batch = 64, lr = 4e-3, weighting = "mix", widths = { 32, 64, 128 }, shift = 0, flip = true, baseline = true },

  run = function(knobs)
    local data = ex.data.open("fashion-mnist", { validation = 9000, train_limit = knobs.train_limit })
    local function network()
      return ex.models.vgg { input = data.shape, classes = data.classes, widths = knobs.widths }
    end

    -- One learning rate rises and falls over the whole training (one-cycle), so that few epochs are enough; images are
    -- mirrored at random, which turns a shoe around but leaves it a shoe.
    local function train(net, name, weights)
      return ex.train(net, data, {
        name = name, weights = weights, epochs = knobs.epochs, batch = knobs.batch,
        optimizer = ex.optim.adamw { lr = knobs.lr }, schedule = ex.schedule.one_cycle(),
        augment = { shift = knobs.shift, flip = knobs.flip },
      })
    end

    local net = ex.exits.anticipate(network())                   -- an exit after each stage
    local fit = train(net, "aep", knobs.weighting)
    local best = ex.prune.exits(net, data.validation)            -- all 2^E - 1 subsets; the cheapest wins a tie
    print(best)

    local single = knobs.baseline and train(network(), "baseline") or nil
    return ex.result { train = fit, net = net, pruned = best, baseline = single, test = data.test }
  end,
}
