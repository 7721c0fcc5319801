-- report/plot.lua: `ex.plot { ... }`: a figure of one's own, for recipes and the prompt, written as an SVG, PNG or PDF file by gnuplot.
--
--   ex.plot { file = "loss.svg", x = {1, 2, 3}, y = {0.9, 0.5, 0.4}, title = "Loss", x_title = "epoch", y_title = "cross-entropy (nats)" }
--   ex.plot { file = "both.png", series = { { title = "a", y = {...} }, { title = "b", x = {...}, y = {...}, style = "points" } },
--             y_log = true }
--
-- x and y are lists of numbers or tensors of one axis; without x: 1, 2, 3, ... A NaN is a gap. It refuses: other files, lists of
-- different lengths, what is no number, what is not positive on a logarithmic axis, and nothing to draw.

local core = require "exeunt.core"
local figure = require "exeunt.report.figure"
local file = require "exeunt.file"
local options = require "exeunt.options"

local styles = { line = true, points = true, both = true, steps = true, fsteps = true, rings = true }

-- A list of numbers, from a list or a tensor.
local function numbers(where, list)
  if type(list) == "table" and type(list.to_list) == "function" then list = list:to_list() end
  if type(list) ~= "table" then core.raise("plot: %s must be a list of numbers or a tensor, got %s", where, tostring(list)) end
  local out = {}
  for i, x in ipairs(list) do
    if type(x) ~= "number" then
      core.raise("plot: %s[%d] must be a number, got %s", where, i,
                 type(x) == "table" and "a list (a tensor of several axes?)" or tostring(x))
    end
    out[i] = x
  end
  return out
end

local function check_log(where, list, log)
  for i, x in ipairs(log and list or {}) do
    if x <= 0 then core.raise("plot: %s[%d] is %g, which a logarithmic axis cannot show", where, i, x) end
  end
end

-- One series, checked; where: "series[2]", or "" for the plot's own x and y.
local function series(where, given, o)
  local within = where == "" and "" or where .. "."
  local s = options.check(where == "" and "plot" or "plot: " .. where, given, {
                          x = options.optional, y = options.required, title = options.optional, style = "line", dash = false })
  options.choice("plot", within .. "style", s.style, styles)
  s.y = numbers(within .. "y", s.y)
  if s.x == nil then
    s.x = {}
    for i = 1, #s.y do s.x[i] = i end
  else s.x = numbers(within .. "x", s.x) end
  if #s.x ~= #s.y then core.raise("plot: %sx has %d numbers, y has %d", where == "" and "" or where .. ": ", #s.x, #s.y) end
  check_log(within .. "x", s.x, o.x_log)
  check_log(within .. "y", s.y, o.y_log)
  s.title = s.title and tostring(s.title)
  return s
end

local function all_series(o)
  if o.series and (o.x or o.y) then core.raise "plot: give series, or x and y, not both" end
  if not o.series then
    if not o.y then core.raise "plot: there is nothing to draw: give y, or series" end
    return { series("", { x = o.x, y = o.y, style = o.style }, o) }
  end
  if type(o.series) ~= "table" or #o.series == 0 then core.raise "plot: series must be a list of { y = ..., x =, title =, style = }" end
  local out = {}
  for i, given in ipairs(o.series) do out[i] = series(("series[%d]"):format(i), given, o) end
  return out
end

local function pixels(name, x)
  if type(x) ~= "number" or x < 100 or x > 10000 then core.raise("plot: %s must be from 100 to 10000 pixels, got %s", name, tostring(x)) end
  return math.floor(x)
end

-- plot{ file = "NAME.svg|png|pdf" (required), x =, y = (lists or tensors), series = { { x =, y =, title =, style =, dash = }, ... },
--       style = "line" (or points, both, steps, fsteps, rings), title, x_title, y_title, x_log = false, y_log = false,
--       x_range = {low, high}, y_range, width = 780, height = 400 (a PNG has twice as many pixels) } -> the file's name
return function(given)
  local o = options.check("plot", given, {
    file = options.required, x = options.optional, y = options.optional, series = options.optional, style = "line",
    title = options.optional, x_title = options.optional, y_title = options.optional, x_log = false, y_log = false,
    x_range = options.optional, y_range = options.optional, width = figure.width, height = figure.height,
  })
  local format = type(o.file) == "string" and o.file:lower():match "%.(%w+)$"
  if not figure.formats[format] then core.raise("plot: file must end with .svg, .png or .pdf, got %s", tostring(o.file)) end
  local xr, yr = o.x_range and numbers("x_range", o.x_range) or {}, o.y_range and numbers("y_range", o.y_range) or {}
  local list = all_series(o)
  local fig = { name = "plot", title = o.title and tostring(o.title), series = list, key = list[1].title or list[2] and list[2].title,
                x = { title = o.x_title, log = o.x_log, low = xr[1], high = xr[2] },
                y = { title = o.y_title, log = o.y_log, low = yr[1], high = yr[2] },
                width = pixels("width", o.width), height = pixels("height", o.height) }
  fig.key = fig.key ~= nil
  if not figure.drawable(fig) then core.raise "plot: there is no finite number to draw" end
  file.write(o.file, figure.render({ fig }, format)[1])
  return o.file
end
