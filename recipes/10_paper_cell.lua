-- One cell of the paper's grid: a network, a data set, an image size, a regime and a weighting scheme.
--
-- "Anticipate, Ensemble and Prune" (Sarti, Lomurno, Matteucci 2023) trains every network once for each scheme:
--   unif, asc, desc, mix   all exits jointly, weighted as the scheme says, then pruned to the best subset of exits
--   se                     the same network with its last exit only: what the others are compared with
-- with Adam at 1e-4, batches of 64, no augmentation, and early stopping with a patience of 12 epochs on the validation loss.
--
--     exeunt run recipes/10_paper_cell.lua net=vgg16 size=32 scheme=desc epochs=15 train_limit=6000
--     exeunt run recipes/10_paper_cell.lua net=resnet50 data=cifar-10 regime=ft weights=resnet50.safetensors
--
-- recipes/11_paper_table.lua runs many of them and makes the paper's table.

local ex = require "exeunt"

return ex.recipe {
  about = "one cell of the AEP paper: a network, a data set, a size, a regime, a scheme",
  knobs = { net = "mobilenetv3small", data = "fashion-mnist", size = 32, regime = "tr", weights = "", scheme = "mix", epochs = 100,
            batch = 64, lr = 1e-4, patience = 12, tie = "paper" },

  run = function(knobs)
    return ex.paper.cell {
      net = knobs.net, data = knobs.data, size = knobs.size, regime = knobs.regime, weights = knobs.weights ~= "" and knobs.weights or nil,
      scheme = knobs.scheme, seed = knobs.seed, epochs = knobs.epochs, batch = knobs.batch, lr = knobs.lr, patience = knobs.patience,
      train_limit = knobs.train_limit, tie = knobs.tie,
    }
  end,
}
