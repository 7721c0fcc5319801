-- The paper's table: every network, data set, size, regime, scheme and seed that the knobs list, each cell once.
--
-- A finished cell goes into the file `results` (JSON lines) and is skipped from then on: the recipe can be killed, run again,
-- extended by another network or more seeds, and trains only what is missing. At the end it prints the table of the paper, the
-- change of accuracy, parameters, MACs and latency against the single exit, with what the paper leaves out: several seeds, 95 %
-- intervals, a paired test for each cell, the exits kept. The run's folder gets it as table.md and table.csv.
--
--     exeunt run recipes/11_paper_table.lua
--     exeunt run recipes/11_paper_table.lua nets=mobilenetv3small,resnet50,vgg16 seeds=3 results=runs/grid.jsonl

local ex = require "exeunt"

return ex.recipe {
  about = "the AEP paper's table: a grid of cells, each trained once, kept in a results file",
  knobs = { nets = { "mobilenetv3small" }, sets = { "fashion-mnist" }, sizes = { 32 }, regimes = { "tr" }, weights = "",
            schemes = { "desc", "mix", "unif", "asc" }, seeds = 3, epochs = 15, batch = 64, lr = 1e-4, patience = 12, tie = "paper",
            train_limit = 6000, results = "runs/paper.jsonl" },

  run = function(knobs)
    local grid = ex.paper.grid {
      nets = knobs.nets, sets = knobs.sets, sizes = knobs.sizes, regimes = knobs.regimes, schemes = knobs.schemes,
      first_seed = knobs.seed, seeds = knobs.seeds,
      cell = { weights = knobs.weights ~= "" and knobs.weights or nil, epochs = knobs.epochs, batch = knobs.batch, lr = knobs.lr,
               patience = knobs.patience, tie = knobs.tie, train_limit = knobs.train_limit },
    }
    return ex.result { report = grid:run(ex.paper.store(knobs.results)) }
  end,
}
