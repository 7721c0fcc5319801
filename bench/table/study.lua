-- study.lua: the grid of recipe.lua's knobs whose results lie in results.jsonl. What made them (about a quarter of an hour):
--
--     ./exeunt search bench/table/study.lua --store build/bench/table.db --runs build/bench/table --workers 2
--     ./exeunt script bench/table/record.lua build/bench/table.db >bench/table/results.jsonl

local ex = require "exeunt"

return ex.study {
  recipe = "recipe.lua", name = "table",
  space = { lr = ex.log(3e-4, 6e-2), weighting = ex.choice { "asc", "desc", "mix", "unif" }, batch = ex.choice { 16, 32, 64 },
            widths = ex.choice { { 8, 8, 8 }, { 8, 16, 32 }, { 16, 32, 32 } } },
  objective = { maximize = "val_top1" },
  sampler = ex.sampler.grid { points = { lr = 8 } },
}
