-- Which weighting? The four schemes of the method and the single-exit baseline side by side, each over several seeds.
--
-- With exits 1..E from shallow to deep, a scheme says how much each exit's loss counts in training (a) and how much its
-- vote counts in the answer (b):
--   unif  a and b equal          asc  both rise with depth          desc  both fall          mix  a falls, b rises
-- One training proves little: another seed moves the test accuracy by half a point and more. So each scheme is trained
-- with several seeds, and the table gives mean and standard deviation. Differences smaller than those mean nothing.
--
-- By default on 6,000 images, so that it takes minutes; `train_limit=51000 epochs=4` is the serious version.

local ex = require "exeunt"

return ex.recipe {
  about = "the four weighting schemes and the baseline, mean and standard deviation over seeds",
  knobs = { schemes = { "unif", "asc", "desc", "mix" }, seeds = 3, epochs = 3, batch = 64, lr = 4e-3, widths = { 16, 32, 64 },
            train_limit = 6000 },

  run = function(knobs)
    local data = ex.data.open("fashion-mnist", { validation = 9000, train_limit = knobs.train_limit })

    -- One training: a scheme's name, or "baseline" for the network with its last exit only.
    local function cell(scheme, seed)
      local net = ex.models.vgg { input = data.shape, classes = data.classes, widths = knobs.widths, seed = seed }
      local baseline = scheme == "baseline"
      if not baseline then ex.exits.anticipate(net) end
      local fit = ex.train(net, data, {
        name = ("%s-%d"):format(scheme, seed), seed = seed, weights = not baseline and scheme or nil,
        epochs = knobs.epochs, batch = knobs.batch, optimizer = ex.optim.adamw { lr = knobs.lr }, schedule = ex.schedule.one_cycle(),
      })
      local best = not baseline and ex.prune.exits(net, data.validation) or nil
      return ex.result { label = scheme, seed = seed, train = fit, net = net, pruned = best, test = data.test }
    end

    local schemes = { "baseline", unpack(knobs.schemes) }
    local cells = {}
    for seed = knobs.seed, knobs.seed + knobs.seeds - 1 do
      for _, scheme in ipairs(schemes) do cells[#cells + 1] = cell(scheme, seed) end
    end
    return ex.result { cells = cells }
  end,
}
