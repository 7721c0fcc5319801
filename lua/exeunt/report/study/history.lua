-- report/study/history.lua: each objective's value by trial, and the best so far among trials that are complete and keep the constraints.

local knob = require "exeunt.report.study.knob"
local scale = require "exeunt.report.scale"

local function series(s)
  s.x, s.y = {}, {}
  return s
end

local function add(s, x, y) s.x[#s.x + 1], s.y[#s.y + 1] = x, y end

local function one(view, index)
  local o, rows, best = view.objectives[index], {}, nil
  local done = series { title = "complete", style = "points", colour = 1 }
  local broke = series { title = "breaks a constraint", style = "rings", colour = 2 }
  local stopped = series { title = "stopped early", style = "rings", colour = "muted" }
  local line = series { title = "best so far", style = "steps", colour = "ink", wide = true }
  local is_done = {}
  for _, t in ipairs(view.done) do is_done[t] = true end
  for _, t in ipairs(view.trials) do
    local value = (t.values or {})[index]
    if is_done[t] then
      local fine = view.feasible(t)
      add(fine and done or broke, t.number, value)
      if fine and (best == nil or view.better(index, value, best)) then
        best = value
        add(line, t.number, best)
      end
    elseif t.state == "stopped" and index == 1 and value then add(stopped, t.number, value) end
    rows[#rows + 1] = { t.number, view.breaks(t) and "complete, breaks a constraint" or t.state, value, best }
  end
  local divisor, word = scale.of(done.y)
  if best and #view.trials > 0 then add(line, view.trials[#view.trials].number, best) end
  for _, s in ipairs { done, broke, stopped, line } do s.y = scale.over(s.y, divisor) end
  local text = { format = scale.number_text, align = "right" }
  return { name = index == 1 and "history" or "history-" .. index, series = { line, stopped, broke, done },
           title = #view.objectives > 1 and "History of " .. o.path or "History",
           about = "Each trial's result, and the best so far.",
           x = { title = "trial", whole = true }, y = { title = knob.objective_title(o, word) },
           table = { columns = { "trial", { title = "state", align = "left" }, { title = o.path, format = text.format, align = "right" },
                                 { title = "best so far", format = text.format, align = "right" } }, rows = rows } }
end

return function(view)
  local out = {}
  for i in ipairs(view.objectives) do out[i] = one(view, i) end
  return out
end
