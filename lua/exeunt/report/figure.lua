-- report/figure.lua: a figure is a plain table; here it becomes a script for gnuplot, and by it an SVG, PNG or PDF file's bytes.
--
--   { name = "loss", title = "Loss", about = what one sees and should know (for the page),
--     x = axis, y = axis,                axis = { title = with the unit, log = true, low =, high =,
--                                                zero = true (with 0), whole = true (whole numbers), ticks = { { at, text }, ... } }
--     series = { { title = "exit 1", x = {...}, y = {...}, style = "line", colour = 1, dash = true, wide = true,
--                  low = {...}, high = {...} }, ... },
--     guides = { { x = or y =, text = }, ... },      lines across, dashed
--     marks = { { x, y, text }, ... },               text beside points
--     room = true,                                   between the points at the ends and the axes, for such text
--     table = { columns, rows },                     the numbers (table.lua), for the page
--     width = 780, height = 400, key = false }       in pixels of the page; no legend
--
-- styles: line, points, rings (hollow points), both, steps (along, then up), fsteps (up, then along), bars (horizontal, from 0 to x,
-- at y). A y that is false or no finite number is a gap.
-- colour: a number, or a role of palette.lua. low and high: the ends of bars of uncertainty, along the axis `spread` (y, or x).
-- It decides nothing about what is worth showing.

local gnuplot = require "exeunt.report.gnuplot"
local palette = require "exeunt.report.palette"
local svg = require "exeunt.report.svg"

local figure = { width = 780, height = 400 }

local SHAPES = { 7, 5, 9, 13, 11, 15 }      -- gnuplot's point types: filled circle, square, triangles, diamond, pentagon
local HOLLOW = { 6, 4, 8, 12, 10, 14 }
local DASHES = { "solid", "(9,4)", "(2,3)", "(9,3,2,3)" }
local WHOLE = 12                            -- axes of whole numbers up to so long have a tick for each
local SHORT_LINE = 60                       -- lines of up to so many points show each

local text = gnuplot.text

local function finite(x) return type(x) == "number" and x == x and math.abs(x) < math.huge end

local function usable(x, axis) return finite(x) and not (axis and axis.log and x <= 0) end

-- The points of a series as text, gaps as empty lines, and how many there are.
local function points(fig, s)
  local lines, count = {}, 0
  for i, x in ipairs(s.x) do
    local y = s.y[i]
    if usable(x, fig.x) and usable(y, fig.y) then
      count = count + 1
      local low, high = s.low and s.low[i], s.high and s.high[i]
      local middle = s.spread == "x" and x or y
      lines[#lines + 1] = ("%.12g %.12g %.12g %.12g"):format(x, y, finite(low) and low or middle, finite(high) and high or middle)
    elseif count > 0 and lines[#lines] ~= "" then lines[#lines + 1] = "" end
  end
  return table.concat(lines, "\n"), count
end

local function colour(role) return "lc rgb '" .. palette.light(role) .. "'" end

-- How gnuplot is to draw series number i, of data block `data` with n points: one or two parts of a plot command.
local function drawn(s, i, data, n)
  local role = s.colour or i
  local order = type(role) == "number" and role or 1
  local shape, hollow = SHAPES[(order - 1) % #SHAPES + 1], HOLLOW[(order - 1) % #HOLLOW + 1]
  local lines = ("%s lw %g dt %s"):format(colour(role), s.wide and 2.6 or 1.6,
    s.dash and DASHES[2] or DASHES[math.floor((order - 1) / palette.series) % #DASHES + 1])
  local dots = ("%s pt %d ps %g"):format(colour(role), s.style == "rings" and hollow or shape, s.size or 0.75)
  local title = s.title and "title " .. text(s.title) or "notitle"
  local out = {}
  if s.low then
    local bars = s.spread == "x" and "xerrorbars" or "yerrorbars"
    out[1] = ("%s using 1:2:3:4 with %s lw 1.2 pt -1 %s notitle"):format(data, bars, colour(role))
  end
  local style = s.style or "line"
  if style == "points" or style == "rings" then out[#out + 1] = ("%s using 1:2 with points %s %s"):format(data, dots, title)
  elseif style == "steps" or style == "fsteps" then
    out[#out + 1] = ("%s using 1:2 with %s %s %s"):format(data, style, lines, title)
  elseif style == "bars" then
    out[#out + 1] = ("%s using (0):2:(0):1:($2-0.32):($2+0.32) with boxxyerror fs solid 1 noborder %s %s")
      :format(data, colour(role), title)
  elseif style == "both" and n <= SHORT_LINE then
    out[#out + 1] = ("%s using 1:2 with linespoints %s pt %d ps 0.5 %s"):format(data, lines, shape, title)
  else out[#out + 1] = ("%s using 1:2 with lines %s %s"):format(data, lines, title) end
  return out
end

-- What the series need of an axis.
local function span_of(fig, name)
  local low, high = math.huge, -math.huge
  for _, s in ipairs(fig.series) do
    for _, value in ipairs(s[name]) do
      if finite(value) then low, high = math.min(low, value), math.max(high, value) end
    end
  end
  return low, high
end

local BESIDE = 0.08                         -- the room beyond a guide that no point reaches, as a share of what is between

-- The ends that an axis must at least have so that its guides are in the plot; nil where the series reach beyond them.
local function guided(fig, name, low, high)
  local first, last = low, high
  for _, g in ipairs(fig.guides or {}) do
    if finite(g[name]) then first, last = math.min(first, g[name]), math.max(last, g[name]) end
  end
  local beside = BESIDE * (last - first)
  local log = fig[name] and fig[name].log
  return first < low and (log and first or first - beside) or nil, last > high and (log and last or last + beside) or nil
end

-- An end of a range: fixed, or found, but at least as far as where it must be.
local function bound(fixed, at, zero, sign)
  if fixed then return ("%.12g"):format(fixed) end
  if zero then at = math[sign < 0 and "min" or "max"](at or 0, 0) end
  if not at then return "*" end
  return sign < 0 and ("*<%.12g"):format(at) or ("%.12g<*"):format(at)
end

local LETTER, LINE, AROUND = 7.5, 17, 90    -- pixels of a letter, of a line of text, around the plot from left to right
local LONGEST = 28                          -- characters of a tick's text

local function shortened(s)
  s = tostring(s)
  return #s > LONGEST and require("exeunt.report.term").cut(s, LONGEST - 1) .. "…" or s
end

-- Ticks with texts; along an axis of so many pixels they are slanted where they would run into each other, and where there are more
-- than slanted ones have room, every second (third, ...) has its text.
local function ticks_line(name, ticks, pixels)
  if #ticks == 0 then return ("unset %stics"):format(name) end
  local list, longest, each = {}, 0, 1
  for _, tick in ipairs(ticks) do longest = math.max(longest, #shortened(tick[2])) end
  local apart = pixels and (pixels - AROUND) / #ticks or math.huge
  local slanted = longest * LETTER + LETTER > apart
  if slanted then each = math.ceil(LINE / apart) end
  for i, tick in ipairs(ticks) do
    list[i] = ("%s %.12g"):format(text((i - 1) % each == 0 and shortened(tick[2]) or ""), tick[1])
  end
  return ("set %stics %s(%s)"):format(name, slanted and "rotate by 35 right " or "", table.concat(list, ", "))
end

local function axis_lines(name, fig)
  local axis, low, high = fig[name] or {}, span_of(fig, name)
  local length, out = (axis.high or high) - (axis.low or low), {}
  local first, last = guided(fig, name, low, high)
  if axis.title then out[1] = ("set %slabel %s %s"):format(name, text(axis.title), "tc rgb '" .. palette.light "text" .. "'") end
  if axis.log then out[#out + 1] = ("set logscale %s\nset format %s '%%g'"):format(name, name) end
  if axis.low or axis.high or axis.zero or first or last then
    out[#out + 1] = ("set %srange [%s:%s]"):format(name, bound(axis.low, first, axis.zero, -1), bound(axis.high, last, axis.zero, 1))
  end
  if axis.whole and length <= WHOLE then out[#out + 1] = ("set %stics 1"):format(name) end
  if axis.ticks then out[#out + 1] = ticks_line(name, axis.ticks, name == "x" and (fig.width or figure.width)) end
  return table.concat(out, "\n")
end

local function guide_lines(fig)
  local out, role = {}, palette.light "axis"
  for _, g in ipairs(fig.guides or {}) do
    local from, to, at = "graph 0, first %.12g", "graph 1, first %.12g", "graph 0.995, first %.12g"
    local value = g.y or g.x
    if g.x then from, to, at = "first %.12g, graph 0", "first %.12g, graph 1", "first %.12g, graph 0.985" end
    out[#out + 1] = ("set arrow from " .. from .. " to " .. to .. " nohead lc rgb '%s' lw 1.2 dt (7,4) back"):format(value, value, role)
    if g.text then
      out[#out + 1] = ("set label %s at " .. at .. " %s tc rgb '%s'"):format(text(g.text), value,
        g.y and "right offset 0,0.6" or "left offset 0.6,-0.3", palette.light "text")
    end
  end
  for _, m in ipairs(fig.marks or {}) do
    out[#out + 1] = ("set label %s at first %.12g, first %.12g %s tc rgb '%s' front"):format(text(m[3]), m[1], m[2],
      m.align or "left offset 0.7,0.5", palette.light(m.colour or "text"))
  end
  return table.concat(out, "\n")
end

-- What stands around the plot; the legend is above it, or below where a title is above.
local function frame(fig, titled)
  local axis, words, grid = palette.light "axis", palette.light "text", palette.light "grid"
  return table.concat({
    "set encoding utf8",
    ("set border %d lw 0.8 lc rgb '%s'"):format(fig.border or 3, axis),
    ("set tics nomirror scale 0.4 tc rgb '%s'"):format(words),
    "set mxtics 1\nset mytics 1",
    fig.room and "set offsets graph 0.03, graph 0.03, graph 0.08, graph 0.03" or "",
    fig.grid == false and "" or ("set grid lt 1 lw 0.8 lc rgb '%s' back"):format(grid),
    fig.key == false and "set key off"
      or ("set key %s left horizontal Left reverse samplen 2 spacing 1.15 height 0.4 tc rgb '%s'")
        :format(titled and "bmargin" or "tmargin", words),
    axis_lines("x", fig), axis_lines("y", fig), guide_lines(fig),
  }, "\n")
end

-- script(fig[, titled]): what draws it, without the terminal; nil where it has no point to draw. titled: with its title above.
function figure.script(fig, titled)
  local blocks, parts = {}, {}
  for i, s in ipairs(fig.series) do
    local data, n = points(fig, s)
    if n > 0 then
      blocks[#blocks + 1] = ("$d%d << EOD\n%s\nEOD"):format(i, data)
      for _, part in ipairs(drawn(s, i, "$d" .. i, n)) do parts[#parts + 1] = part end
    end
  end
  if #parts == 0 then return nil end
  local title = titled and fig.title and ("set title %s tc rgb '%s'"):format(text(fig.title), palette.light "ink") or ""
  return table.concat({ frame(fig, title ~= ""), title, table.concat(blocks, "\n"), "plot " .. table.concat(parts, ", \\\n     ") }, "\n")
end

-- The terminal of a format: "svg", "png" (twice the pixels) or "pdf" (100 pixels an inch).
local function terminal(fig, format, inline)
  local w, h = fig.width or figure.width, fig.height or figure.height
  if format == "svg" then
    return ("set terminal svg size %d,%d noenhanced font 'sans-serif,13' linewidth 1 dashlength 0.6%s")
      :format(w, h, inline and "" or " background rgb 'white'")
  end
  if format == "png" then
    return ("set terminal pngcairo size %d,%d noenhanced font 'Sans,20' linewidth 2 pointscale 2 dashlength 0.6 background rgb 'white'")
      :format(2 * w, 2 * h)
  end
  return ("set terminal pdfcairo size %.2fin,%.2fin noenhanced font 'Sans,9' linewidth 1 pointscale 0.7 dashlength 0.6")
    :format(w / 100, h / 100)
end

figure.formats = { svg = true, png = true, pdf = true }

-- What the parts of a plot command are about, for the titles of an SVG's groups.
local function part_titles(fig)
  local out = {}
  for i, s in ipairs(fig.series) do
    local _, n = points(fig, s)
    if n > 0 then
      if s.low then out[#out + 1] = s.title or fig.title or "" end
      out[#out + 1] = s.title or fig.title or ("series " .. i)
    end
  end
  return out
end

-- render(figures, format) -> the bytes of each. Figures without a point to draw are an error: who makes them leaves them out.
function figure.render(figures, format)
  local scripts = {}
  for i, fig in ipairs(figures) do
    local body = figure.script(fig, true) or error(("figure %s: there is nothing to draw"):format(fig.name or fig.title or i), 0)
    scripts[i] = { setup = terminal(fig, format), body = body }
  end
  local out = gnuplot.run(scripts)
  for i, fig in ipairs(format == "svg" and figures or {}) do out[i] = svg.alone(out[i], fig, part_titles(fig)) end
  return out
end

-- inline(figures) -> each as an SVG element for a page: colours by the page's variables, described, without a title of its own.
function figure.inline(figures)
  local scripts = {}
  for i, fig in ipairs(figures) do scripts[i] = { setup = terminal(fig, "svg", true), body = figure.script(fig) } end
  local out = gnuplot.run(scripts)
  for i, fig in ipairs(figures) do out[i] = svg.inline(out[i], fig, part_titles(fig)) end
  return out
end

-- drawable(fig): whether it has a point to draw.
function figure.drawable(fig)
  for _, s in ipairs(fig.series) do
    local _, n = points(fig, s)
    if n > 0 then return true end
  end
  return false
end

return figure
