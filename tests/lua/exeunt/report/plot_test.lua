-- report/plot.lua: ex.plot: files in each format, lists and tensors, and each mistake in one line.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local ex = require "exeunt"
local file = require "exeunt.file"
local gnuplot = require "exeunt.report.gnuplot"

TestPlot = {}

function TestPlot:setUp() self.folder = command.folder() end
function TestPlot:tearDown() command.remove(self.folder) end

function TestPlot:test_files()
  lu.skipIf(not gnuplot.found(), "gnuplot is not installed")
  for ending, begins in pairs { svg = "<%?xml", png = "\137PNG", pdf = "%%PDF", PNG = "\137PNG" } do
    local path = ("%s/it.%s"):format(self.folder, ending)
    lu.assertEquals(ex.plot { file = path, y = { 3, 1, 2 }, title = "T", x_title = "epoch" }, path)
    lu.assertEquals(file.read(path):find(begins), 1)
  end
end

function TestPlot:test_what_is_drawn()
  lu.skipIf(not gnuplot.found(), "gnuplot is not installed")
  local path = self.folder .. "/it.svg"
  ex.plot { file = path, series = { { title = "a <1>", y = ex.tensor { 1, 2, 4 }, style = "both" },
                                    { title = "b", x = { 1, 3 }, y = { 1, 0 / 0 }, dash = true } },
            title = "The title", x_title = "step", y_title = "loss (nats)" }
  local text = file.read(path)
  for _, part in ipairs { "a &lt;1>", ">b<", "The title", ">step<", "loss (nats)" } do lu.assertStrContains(text, part) end
end

function TestPlot:test_mistakes()
  local path = self.folder .. "/it.svg"
  local function says(message, options)
    options.file = options.file or path
    local ok, why = pcall(ex.plot, options)
    lu.assertFalse(ok)
    lu.assertEquals(tostring(why), message)
  end
  says("plot: file must end with .svg, .png or .pdf, got x.jpg", { file = "x.jpg", y = { 1 } })
  says("plot: there is nothing to draw: give y, or series", {})
  says("plot: give series, or x and y, not both", { y = { 1 }, series = { { y = { 1 } } } })
  says("plot: series must be a list of { y = ..., x =, title =, style = }", { series = {} })
  says("plot: series[2]: option 'y' is missing", { series = { { y = { 1 } }, { x = { 1 } } } })
  says("plot: series[1]: x has 2 numbers, y has 1", { series = { { x = { 1, 2 }, y = { 1 } } } })
  says("plot: y[2] must be a number, got x", { y = { 1, "x" } })
  says("plot: y must be a list of numbers or a tensor, got 5", { y = 5 })
  says("plot: y[1] must be a number, got a list (a tensor of several axes?)", { y = ex.tensor { { 1, 2 } } })
  says("plot: y[2] is 0, which a logarithmic axis cannot show", { y = { 1, 0 }, y_log = true })
  says("plot: there is no finite number to draw", { y = { 0 / 0 } })
  says("plot: width must be from 100 to 10000 pixels, got 7", { y = { 1 }, width = 7 })
  says('plot: style must be "both" or "fsteps" or "line" or "points" or "rings" or "steps", got lines', { y = { 1 }, style = "lines" })
  says("plot: unknown option 'x_titel'; did you mean 'x_title'?", { y = { 1 }, x_titel = "a" })
end

os.exit(lu.LuaUnit.run())
