-- record.lua STORE: the finished trials of bench/table/study.lua, a line of JSON each: the knobs and what they gave.

local json = require "exeunt.report.json"
local store = require("exeunt.search.store").open(arg[1])

for _, trial in ipairs(store:trials(store:study("table").id)) do
  local p = trial.params
  print(json.encode({ lr = p.lr, weighting = p.weighting, batch = p.batch, widths = p.widths, val_top1 = trial.values[1] },
                    { "lr", "weighting", "batch", "widths", "val_top1" }))
end
store:close()
