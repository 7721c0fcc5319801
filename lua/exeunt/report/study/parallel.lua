-- report/study/parallel.lua: a line for each complete trial through an axis for each knob and one for objective 1, coloured by the fifth
-- it belongs to among all (the best fifth boldest, on top). A knob that a trial does not have is passed below.

local knob = require "exeunt.report.study.knob"
local scale = require "exeunt.report.scale"

local MOST = 500                            -- lines; of more trials the best are drawn
local MOST_TEXTS = 18                       -- beside an axis; of more choices every second (third, ...) has one
local ABSENT = -0.13                        -- where lines pass an axis that they have no value on
local FIFTHS = { "best fifth", "second", "third", "fourth", "worst fifth" }

-- Where a trial's value stands on the objective's axis, from 0 to 1.
local function objective_share(x, low, high) return high > low and (x - low) / (high - low) or 0.5 end

-- Low and high of objective 1 among trials.
local function ends(trials)
  local low, high = math.huge, -math.huge
  for _, t in ipairs(trials) do low, high = math.min(low, t.values[1]), math.max(high, t.values[1]) end
  return low, high
end

local function axis_marks(k, at, marks)
  if k.kind == "choice" then
    for i = 1, #k.values, math.ceil(#k.values / MOST_TEXTS) do
      local value, share = k.values[i], #k.values == 1 and 0.5 or (i - 1) / (#k.values - 1)
      marks[#marks + 1] = { at, share, knob.text(value), align = "left offset 0.5,0" }
    end
  else
    marks[#marks + 1] = { at, 0, knob.text(k.low), align = "left offset 0.5,0" }
    marks[#marks + 1] = { at, 1, knob.text(k.high), align = "left offset 0.5,0" }
  end
end

local function frame(view, low, high)
  local ticks, marks, guides, n = {}, {}, {}, #view.knobs
  for i, k in ipairs(view.knobs) do
    ticks[i] = { i, k.name .. (k.log and " (log)" or "") }
    axis_marks(k, i, marks)
  end
  ticks[n + 1] = { n + 1, view.objectives[1].path }
  marks[#marks + 1] = { n + 1, 0, scale.number_text(low), align = "left offset 0.5,0" }
  marks[#marks + 1] = { n + 1, 1, scale.number_text(high), align = "left offset 0.5,0" }
  for i = 1, n + 1 do guides[i] = { x = i } end
  return ticks, marks, guides
end

return function(view)
  local knobs, shown = view.knobs, { unpack(view.ranked, 1, MOST) }
  if #knobs == 0 or #shown < 2 then return nil end
  local low, high = ends(shown)
  local ticks, marks, guides = frame(view, low, high)
  local series, absent = {}, false
  for f = 1, 5 do
    series[f] = { title = FIFTHS[6 - f], x = {}, y = {}, style = "line", colour = "q" .. f, wide = f == 5 }
  end
  for rank = #shown, 1, -1 do
    local t, s = shown[rank], series[5 - math.floor(5 * (rank - 1) / #shown)]
    for i, k in ipairs(knobs) do
      local share = knob.share(k, (t.params or {})[k.name])
      absent = absent or share == nil
      s.x[#s.x + 1], s.y[#s.y + 1] = i, share or ABSENT
    end
    s.x[#s.x + 1], s.y[#s.y + 1] = #knobs + 1, objective_share(t.values[1], low, high)
    s.x[#s.x + 1], s.y[#s.y + 1] = #knobs + 1, false
  end
  if absent then marks[#marks + 1] = { 1, ABSENT, "not used", align = "right offset -0.5,0" } end
  local cut = #view.ranked > MOST and (" Of %d complete trials the best %d are drawn."):format(#view.ranked, MOST) or ""
  return { name = "parallel", title = "Parallel coordinates", series = series, marks = marks, guides = guides, grid = false, border = 0,
           about = ("A line for each complete trial, through its values; the boldest are the best fifth%s. Numbers: the "
             .. "table of trials."):format(#view.objectives > 1 and " by " .. view.objectives[1].path .. " alone" or "")
             .. knob.left_out(view) .. cut,
           x = { low = absent and 0.4 or 0.9, high = #knobs + 1.6, ticks = ticks },
           y = { low = absent and -0.18 or -0.04, high = 1.04, ticks = {} },
           width = math.max(780, 110 * (#knobs + 1)), height = 420 }
end
