-- report/study/slices.lua: objective 1 over each knob alone, a figure each; logarithmic where the knob's distribution is.

local knob = require "exeunt.report.study.knob"
local scale = require "exeunt.report.scale"
local stats = require "exeunt.stats"

local MANY = 6                              -- choices; of more, texts below are likely to be slanted

-- For a choice: how many trials, their mean and their best, for each value.
local function choice_table(view, k)
  local rows, lists = {}, {}
  for i in ipairs(k.values) do lists[i] = {} end
  for _, t in ipairs(view.ranked) do                       -- best first
    local i = knob.index(k, (t.params or {})[k.name])
    if i then table.insert(lists[i], t.values[1]) end
  end
  for i, value in ipairs(k.values) do rows[i] = { knob.text(value), #lists[i], stats.mean(lists[i]), lists[i][1] } end
  local function right(title) return { title = title, format = scale.number_text, align = "right" } end
  return { columns = { { title = k.name, align = "left" }, "trials", right "mean", right "best" }, rows = rows }
end

-- What is drawn, and by which of several objectives.
local function about_of(view, k)
  local what = k.kind == "choice" and "omplete trials by this knob's value; points are spread sideways so that none hides another."
    or "omplete trials over this knob alone. Numbers: the table of trials."
  return (#view.objectives > 1 and ("By %s alone: c"):format(view.objectives[1].path) or "C") .. what .. knob.left_out(view)
end

local function one(view, k)
  local values = {}
  for i, t in ipairs(view.ranked) do values[i] = t.values[1] end
  local divisor, word = scale.of(values)
  local all = { title = "complete trial", x = {}, y = {}, style = "points", colour = 1 }
  local best = { title = "best", x = {}, y = {}, style = "rings", colour = "ink", size = 1.8 }
  for _, t in ipairs(view.ranked) do
    local x = knob.place(k, (t.params or {})[k.name], t.number)
    if x then
      all.x[#all.x + 1], all.y[#all.y + 1] = x, t.values[1] / divisor
      if t == view.best then best.x[1], best.y[1] = x, t.values[1] / divisor end
    end
  end
  return { name = "slice-" .. k.name, title = "Slice: " .. k.name, series = { all, best },
           height = k.kind == "choice" and #k.values > MANY and 380 or 320,
           about = about_of(view, k),
           x = knob.axis(k), y = { title = knob.objective_title(view.objectives[1], word) },
           table = k.kind == "choice" and choice_table(view, k) or nil }
end

return function(view)
  local out = {}
  for i, k in ipairs(view.knobs) do out[i] = one(view, k) end
  return out
end
