-- A search with two aims that pull apart: accuracy, and the multiply-adds of the pruned network.
--
-- There is no best network here but a front: those that no other beats in both. What is searched over is the architecture (the
-- widths of the stages), the weighting (which decides what early exits are worth) and the training; pruning then keeps the best
-- subset of exits of each. NSGA-II breeds new points from the front of the old ones. Networks of more than 12 million
-- multiply-adds are run, but not counted: that is what a constraint is for. The accuracy is that on the validation images: who
-- chooses by the test images has none left to test with.
--
--     exeunt search recipes/31_search_pareto.lua --workers 2

local ex = require "exeunt"

return ex.study {
  recipe = "02_aep_fashion.lua",
  space = {
    widths = ex.choice { { 8, 16, 32 }, { 8, 32, 64 }, { 16, 16, 16 }, { 16, 32, 64 }, { 32, 32, 32 }, { 32, 64, 128 } },
    weighting = ex.choice { "asc", "desc", "mix", "unif" },
    lr = ex.log(1e-3, 2e-2),
    shift = ex.int(0, 2),
  },
  fixed = { epochs = 2, train_limit = 6000, baseline = false },
  objective = { { maximize = "pruned.val_top1" }, { minimize = "pruned.macs" } },
  constraints = { "pruned.macs <= 12e6" },
  watch = "vote.val_top1",
  sampler = ex.sampler.nsga2(),
  trials = 40,
}
