-- report/figure.lua: what a figure becomes as a script, and drawn in each format.

local lu = require "luaunit"
local figure = require "exeunt.report.figure"
local gnuplot = require "exeunt.report.gnuplot"

TestScript = {}

local function fig(series, more)
  local f = { name = "f", title = "F", series = series }
  for k, v in pairs(more or {}) do f[k] = v end
  return f
end

function TestScript.test_points_and_gaps()
  local script = figure.script(fig { { x = { 1, 2, 3, 4 }, y = { 1, false, 0 / 0, 0.25 } } })
  lu.assertStrContains(script, "$d1 << EOD\n1 1 1 1\n\n4 0.25 0.25 0.25\nEOD")
end

function TestScript.test_a_logarithmic_axis_leaves_out_what_it_cannot_show()
  local script = figure.script(fig({ { x = { 0, 1, 10 }, y = { 1, 2, 3 } } }, { x = { log = true } }))
  lu.assertStrContains(script, "<< EOD\n1 2 2 2\n10 3 3 3\nEOD")
  lu.assertStrContains(script, "set logscale x")
end

function TestScript.test_nothing_to_draw()
  local empty = fig { { x = {}, y = {} }, { x = { 1 }, y = { false } } }
  lu.assertNil(figure.script(empty))
  lu.assertFalse(figure.drawable(empty))
  lu.assertErrorMsgContains("figure f: there is nothing to draw", figure.render, { empty }, "svg")
end

function TestScript.test_axes_guides_and_marks()
  local script = figure.script(fig({ { x = { 1, 2 }, y = { 3, 4 }, title = "it's" } }, {
    x = { title = "epoch", whole = true }, y = { low = 0, ticks = { { 1, "one" }, { 2, "two" } } },
    guides = { { y = 3.5, text = "base" } }, marks = { { 1, 3, "m" } } }))
  for _, part in ipairs { "set xlabel 'epoch'", "set xtics 1\n", "set yrange [0:*]", "set ytics ('one' 1, 'two' 2)",
                          "from graph 0, first 3.5 to graph 1, first 3.5", "set label 'm' at first 1, first 3", "title 'it''s'" } do
    lu.assertStrContains(script, part)
  end
  lu.assertStrContains(figure.script(fig({ { x = { 1 }, y = { 1 } } }, { y = { ticks = {} } })), "unset ytics")
end

-- A guide that no point reaches is in the plot all the same, with some room beside it.
function TestScript.test_guides_widen_the_axis()
  local function range(guides, axis)
    return figure.script(fig({ { x = { 1, 2 }, y = { 60, 70 } } }, { guides = guides, y = axis })):match "set yrange (%b[])"
  end
  lu.assertEquals(range { { y = 85 } }, "[*:87<*]")
  lu.assertEquals(range { { y = 45 }, { y = 65 } }, "[*<43:*]")
  lu.assertNil(range { { y = 65 } })
  lu.assertEquals(range({ { y = 85 } }, { zero = true }), "[*<0:87<*]")
  lu.assertEquals(range({ { y = 85 } }, { low = 10, high = 90 }), "[10:90]")
  lu.assertEquals(range({ { y = 5 } }, { log = true }), "[*<5:*]")
end

-- Texts of ticks that would run into each other are slanted; where there are too many of those, some are left out.
function TestScript.test_ticks_with_texts_have_room()
  local function ticks(n, letter)
    local list = {}
    for i = 1, n do list[i] = { i, (letter):rep(12) } end
    return figure.script(fig({ { x = { 1, 2 }, y = { 3, 4 } } }, { x = { ticks = list }, y = { ticks = list } }))
  end
  lu.assertStrContains(ticks(5, "a"), "set xtics ('aaaaaaaaaaaa' 1, ")
  local script = ticks(20, "a")
  lu.assertStrContains(script, "set xtics rotate by 35 right ('aaaaaaaaaaaa' 1, 'aaaaaaaaaaaa' 2, ")
  lu.assertStrContains(script, "set ytics ('aaaaaaaaaaaa' 1, ")
  lu.assertStrContains(ticks(60, "a"), "right ('aaaaaaaaaaaa' 1, '' 2, 'aaaaaaaaaaaa' 3, ")
  lu.assertStrContains(ticks(2, "abc"), "'" .. ("abc"):rep(9) .. "…' 1")
end

function TestScript.test_every_style_is_drawn()
  for style, word in pairs { line = "with lines", points = "with points", rings = "with points", both = "with linespoints",
                             steps = "with steps", fsteps = "with fsteps", bars = "with boxxyerror" } do
    lu.assertStrContains(figure.script(fig { { x = { 1, 2 }, y = { 1, 2 }, style = style } }), word)
  end
  lu.assertStrContains(figure.script(fig { { x = { 1 }, y = { 1 }, low = { 0 }, high = { 3 } } }), "1 1 0 3")
end

TestDrawn = {}

function TestDrawn.setUp() lu.skipIf(not gnuplot.found(), "gnuplot is not installed") end

function TestDrawn.test_each_format()
  local f = fig { { x = { 1, 2 }, y = { 1, 2 }, title = "a < b" }, { x = { 1, 2 }, y = { 2, 1 }, low = { 1, 0 }, high = { 3, 2 } } }
  lu.assertStrContains(figure.render({ f }, "svg")[1], "<text>a &lt; b</text>")
  lu.assertEquals(figure.render({ f }, "png")[1]:sub(1, 8), "\137PNG\r\n\26\n")
  lu.assertEquals(figure.render({ f }, "pdf")[1]:sub(1, 5), "%PDF-")
end

function TestDrawn.test_the_same_figure_gives_the_same_bytes()
  local f = fig { { x = { 1, 2, 3 }, y = { 1, 2, 5 } } }
  lu.assertEquals(figure.render({ f }, "svg"), figure.render({ f }, "svg"))
end

os.exit(lu.LuaUnit.run())
