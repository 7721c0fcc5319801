-- A search: which learning rate and which weighting suit the main job?
--
-- A study is a Lua file that returns ex.study { ... }: a recipe, a space of its knobs, what to make large or small, how to choose,
-- and for how long. `exeunt search recipes/30_search.lua --workers 2` runs it: each trial is an ordinary run of the recipe in a
-- process and a folder of its own (runs/30_search/0000, ...). It can be ended with Ctrl-C or killed, and goes on when the same
-- command is given again; what it has tried lies in runs/studies.db.
--
-- Learning rates are spread in their logarithm: from 0.001 to 0.01 is as far as from 0.01 to 0.1. TPE looks at what has been tried
-- and proposes what resembles the better quarter of it. The median stopper ends a training whose validation accuracy after
-- an epoch is below what half of the others had by then: most of the time saved costs nothing.

local ex = require "exeunt"

return ex.study {
  recipe = "02_aep_fashion.lua",
  space = { lr = ex.log(5e-4, 5e-2), weighting = ex.choice { "asc", "desc", "mix", "unif" } },
  fixed = { epochs = 2, train_limit = 6000, widths = { 16, 32, 64 }, baseline = false },    -- small, so that it takes minutes
  objective = { maximize = "vote.val_top1" },
  sampler = ex.sampler.tpe(),
  stop = ex.stopper.median(),
  points = { { lr = 4e-3, weighting = "mix" } },        -- the recipe's own choice comes first
  trials = 16,
}
