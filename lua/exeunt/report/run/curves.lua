-- report/run/curves.lua: series over the epochs of a training: what loss.lua, accuracy.lua and trainings.lua share. It is no figure itself.

local curves = {}

-- over(training, f) -> epochs, values: f(line) of each epoch's line; nothing where it gives no number is a gap.
function curves.over(training, f)
  local x, y = {}, {}
  for i, line in ipairs(training.lines) do
    local ok, value = pcall(f, line)
    x[i], y[i] = line.epoch, ok and type(value) == "number" and value
  end
  return x, y
end

-- series(training, s, f): s with its x and y; nil where no epoch has a number.
function curves.series(training, s, f)
  s.x, s.y, s.style = curves.over(training, f)
  s.style = "both"
  for _, value in ipairs(s.y) do
    if value then return s end
  end
end

-- An exit's name as a person reads it: "exit 2" of "exit2".
function curves.exit_title(e, i) return (tostring(e.name or "exit" .. i):gsub("^exit(%d+)$", "exit %1")) end

-- table(series, unit, format): a column for each series, a row for each epoch.
function curves.table(series, format)
  local columns, rows, by_epoch = { "epoch" }, {}, {}
  for k, s in ipairs(series) do
    columns[k + 1] = { title = s.title, format = format, align = "right" }
    for i, epoch in ipairs(s.x) do
      if not by_epoch[epoch] then
        by_epoch[epoch] = { epoch }
        rows[#rows + 1] = by_epoch[epoch]
      end
      by_epoch[epoch][k + 1] = s.y[i] or nil
    end
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  return { columns = columns, rows = rows }
end

-- name(what, training, view): "loss", or "loss-<training>" where there are several.
function curves.name(what, training, view)
  return #view.trainings > 1 and ("%s-%s"):format(what, training.name) or what
end

function curves.title(what, training, view)
  return #view.trainings > 1 and ("%s of %s"):format(what, training.name) or what
end

-- Whole epochs on an axis.
function curves.axis(training)
  local first, last = training.lines[1].epoch, training.lines[#training.lines].epoch
  if first == last then first, last = first - 1, last + 1 end
  return { title = "epoch", whole = true, low = first, high = last }
end

return curves
