-- report/run/trainings.lua: where a run has many trainings, one curve for each: the validation accuracy of its vote over epochs.

local curves = require "exeunt.report.run.curves"
local scale = require "exeunt.report.scale"

return function(view)
  if view.apart then return nil end
  local list = {}
  for i, training in ipairs(view.trainings) do
    list[#list + 1] = curves.series(training, { title = training.name, colour = i }, function(line)
      return scale.percent(line.vote.val_top1 or line.exits[#line.exits].train_top1)
    end)
  end
  local rows = math.ceil(#list / 4)
  return { name = "trainings", title = "Trainings", series = list, key = #list <= 24 and nil, height = 380 + 20 * math.min(rows, 6),
           about = "Top-1 accuracy of each training's vote on the validation images after each epoch.",
           x = { title = "epoch", whole = true }, y = { title = "validation top-1 (%)" }, table = curves.table(list, "%.2f %%") }
end
