-- report/run/loss.lua: for each training, the loss that was trained and the validation loss of each exit, over epochs.

local curves = require "exeunt.report.run.curves"

local function one(training, view)
  local list = {}
  local function add(s, f) list[#list + 1] = curves.series(training, s, f) end
  add({ title = "training (weighted sum)", colour = "ink", wide = true }, function(line) return line.loss end)
  add({ title = "validation (weighted sum)", colour = "ink", dash = true }, function(line) return line.val_loss end)
  local exits = training.lines[1].exits
  for i, e in ipairs(#exits > 1 and exits or {}) do
    add({ title = curves.exit_title(e, i) .. " (validation)", colour = i }, function(line) return line.exits[i].val_loss end)
  end
  return { name = curves.name("loss", training, view), title = curves.title("Loss", training, view), series = list,
           about = "Mean cross-entropy over the images of an epoch; the weighted sum is what training made small.",
           x = curves.axis(training), y = { title = "cross-entropy (nats)" }, table = curves.table(list, "%.4f") }
end

return function(view)
  local out = {}
  for i, training in ipairs(view.apart and view.trainings or {}) do out[i] = one(training, view) end
  return out
end
