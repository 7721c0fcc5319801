-- report/run/rate.lua: the learning rate over epochs, where it changes. Trainings with the same rates share a curve.

local curves = require "exeunt.report.run.curves"

local function changes(y)
  for i = 2, #y do
    if y[i] ~= y[1] then return true end
  end
  return false
end

return function(view)
  local list, by_rates = {}, {}
  for _, training in ipairs(view.trainings) do
    local x, y = curves.over(training, function(line) return line.lr end)
    local texts = {}
    for i = 1, #y do texts[i] = tostring(y[i]) end
    local key = table.concat(texts, " ")
    if changes(y) then
      if by_rates[key] then
        if by_rates[key].count < 3 then by_rates[key].title = by_rates[key].title .. ", " .. training.name end
        by_rates[key].count = by_rates[key].count + 1
      else
        by_rates[key] = { title = training.name, x = x, y = y, style = "both", count = 1, colour = #list + 1 }
        list[#list + 1] = by_rates[key]
      end
    end
  end
  if #list == 0 then return nil end
  for _, s in ipairs(list) do if s.count > 3 then s.title = ("%s and %d more"):format(s.title, s.count - 3) end end
  return { name = "rate", title = "Learning rate", series = list, height = 300, about = "The learning rate at the end of each epoch.",
           x = { title = "epoch", whole = true }, y = { title = "learning rate", low = 0 }, table = curves.table(list, "%.4g") }
end
