-- Anticipate, ensemble and prune on the paper's ground: MobileNetV3-small with four exits on Fashion-MNIST at 32 pixels.
--
-- The method is told in recipes/02_aep_fashion.lua; here the network is one of the paper's five (Sarti, Lomurno, Matteucci
-- 2023), with its exits after features 3, 6, 8 and 11, each a small classifier of its own, and its "mix" of weights: losses
-- descend with depth, votes ascend. All 15 subsets of exits are scored on the validation images, and the best is kept.
--
-- Beside it stands the baseline, the same network with its last exit only. Where the paper trains with Adam at 1e-4 for up to
-- 100 epochs, this demonstration lets one learning rate rise and fall over a few. What the paper's own training gives, with
-- several seeds and all four weightings, is in recipes/results/.

local ex = require "exeunt"

return ex.recipe {
  about = "AEP with MobileNetV3-small of four exits on Fashion-MNIST at 32 pixels, beside its single-exit baseline",
  knobs = { epochs = 4, batch = 64, lr = 4e-3, weighting = "mix", size = 32, flip = true, baseline = true },

  run = function(knobs)
    local data = ex.data.open("fashion-mnist", { size = knobs.size, validation = 9000, train_limit = knobs.train_limit })
    local function network()
      return ex.models.mobilenetv3small { input = data.shape, classes = data.classes }
    end

    local function train(net, name, weights)
      return ex.train(net, data, {
        name = name, weights = weights, epochs = knobs.epochs, batch = knobs.batch,
        optimizer = ex.optim.adamw { lr = knobs.lr }, schedule = ex.schedule.one_cycle(), augment = { flip = knobs.flip },
      })
    end

    local net = ex.exits.anticipate(network())                   -- an exit after each of the four stages
    local fit = train(net, "aep", knobs.weighting)
    local best = ex.prune.exits(net, data.validation)            -- all 15 subsets; the cheapest wins a tie
    print(best)

    local single = knobs.baseline and train(network(), "baseline") or nil
    return ex.result {
      train = fit, net = net, pruned = best, baseline = single, test = data.test,
      note = "One training proves little: recipes/results/README.md has the paper's table, with several seeds and all four weightings.",
    }
  end,
}
