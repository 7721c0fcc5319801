-- report/study/curves.lua: what each trial reported, step by step: stopped trials thin and grey, complete ones in colour (those that
-- break a constraint in another), the best in ink.

local scale = require "exeunt.report.scale"

local MOST = 300                            -- curves; of more trials, those with the best last values of each kind

local function append(s, steps)
  for _, step in ipairs(steps) do s.x[#s.x + 1], s.y[#s.y + 1] = step[1], step[2] end
  s.x[#s.x + 1], s.y[#s.y + 1] = 0, false
end

local function last_value(t)
  for i = #t.steps, 1, -1 do
    if type(t.steps[i][2]) == "number" then return t.steps[i][2] end
  end
end

-- Trials with steps, the best last value first.
local function with_steps(view)
  local list = {}
  for _, t in ipairs(view.trials) do
    if t.steps and #t.steps > 0 and last_value(t) then list[#list + 1] = t end
  end
  table.sort(list, function(a, b)
    local x, y = last_value(a), last_value(b)
    if x ~= y then return view.better(1, x, y) end
    return a.number < b.number
  end)
  return list
end

return function(view)
  local list, rows = with_steps(view), {}
  if #list == 0 then return nil end
  local kinds = { stopped = { title = "stopped early", colour = "muted" }, complete = { title = "complete", colour = 1 },
                  broke = { title = "breaks a constraint", colour = 2 },
                  other = { title = "running, paused or failed", colour = 3, dash = true },
                  best = { title = "best", colour = "ink", wide = true } }
  for _, s in pairs(kinds) do s.x, s.y, s.style = {}, {}, "both" end
  for i = 1, math.min(#list, MOST) do
    local t = list[i]
    append(t == view.best and kinds.best or view.breaks(t) and kinds.broke or kinds[t.state] or kinds.other, t.steps)
  end
  for _, t in ipairs(view.trials) do
    for _, step in ipairs(t.steps or {}) do rows[#rows + 1] = { t.number, step[1], step[2] } end
  end
  local what = view.document.watch and tostring(view.document.watch) or view.objectives[1].path
  return { name = "curves", title = "Learning curves", series = { kinds.stopped, kinds.other, kinds.broke, kinds.complete, kinds.best },
           about = ("What each trial reported step by step: %s."):format(what)
             .. (#list > MOST and (" Of %d trials, %d are drawn."):format(#list, MOST) or ""),
           x = { title = "step", whole = true }, y = { title = what },
           table = { columns = { "trial", "step", { title = what, format = scale.number_text, align = "right" } }, rows = rows } }
end
