-- report/run/accuracy.lua: for each training, the validation accuracy of each exit and of their vote over epochs (training accuracy
-- where nothing was validated).

local curves = require "exeunt.report.run.curves"
local scale = require "exeunt.report.scale"

local function best_baseline(view)
  local b = view.document.baseline
  return b and b.val_top1
end

local function one(training, view)
  local list, exits = {}, training.lines[1].exits
  local key = exits[1].val_top1 and "val_top1" or "train_top1"
  for i, e in ipairs(exits) do
    local title = #exits > 1 and curves.exit_title(e, i) or "single exit"
    list[#list + 1] = curves.series(training, { title = title, colour = i }, function(line)
      return scale.percent(line.exits[i][key])
    end)
  end
  if #exits > 1 then
    list[#list + 1] = curves.series(training, { title = "vote", colour = "ink", wide = true }, function(line)
      return scale.percent(line.vote[key])
    end)
  end
  local base = #exits > 1 and key == "val_top1" and best_baseline(view)
  local what = key == "val_top1" and "validation" or "training"
  return { name = curves.name("accuracy", training, view), title = curves.title("Accuracy", training, view), series = list,
           about = ("Top-1 accuracy on the %s images after each epoch%s."):format(what,
             base and "; dashed: the best of the single-exit baseline" or ""),
           guides = base and { { y = 100 * base, text = "baseline" } } or nil,
           x = curves.axis(training), y = { title = what .. " top-1 (%)" }, table = curves.table(list, "%.2f %%") }
end

return function(view)
  local out = {}
  for i, training in ipairs(view.apart and view.trainings or {}) do out[i] = one(training, view) end
  return out
end
