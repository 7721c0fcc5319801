-- workers.lua: a study of eight real trainings of the main job, small, for measuring what a second worker brings (cases.lua).

local ex = require "exeunt"

return ex.study {
  recipe = "../recipes/02_aep_fashion.lua", name = "workers",
  space = { lr = ex.log(1e-3, 1e-2) },
  fixed = { epochs = 1, train_limit = 2000, widths = { 8, 16, 32 }, baseline = false },
  objective = { maximize = "vote.val_top1" },
  sampler = ex.sampler.random(),
  trials = 8,
}
