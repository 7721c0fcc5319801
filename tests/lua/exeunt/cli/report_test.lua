-- cli/report.lua: the page of a run, pictures, JSON; each way to ask wrongly is one line.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local command = dofile "tests/support/command.lua"
local file = require "exeunt.file"
local gnuplot = require "exeunt.report.gnuplot"
local json = require "exeunt.report.json"
local runs = require "runs"

TestCommand = {}

function TestCommand:setUp()
  self.folder = command.folder()
  self.run_dir = self.folder .. "/a run"
  file.make_folder(self.run_dir)
  command.write(self.run_dir .. "/run.json", json.encode(runs.document()))
  local lines = {}
  for i, line in ipairs(runs.log({ "aep" }, 2, 3)) do lines[i] = json.encode(line) .. "\n" end
  command.write(self.run_dir .. "/log.jsonl", table.concat(lines))
end

function TestCommand:tearDown() command.remove(self.folder) end

-- report(arguments): RUN and DIR stand for the run's folder and the test's.
function TestCommand:report(arguments)
  return command.run("report " .. arguments:gsub("RUN", command.quote(self.run_dir)):gsub("DIR", self.folder))
end

function TestCommand:test_a_page()
  lu.skipIf(not gnuplot.found(), "gnuplot is not installed")
  local result = self:report "RUN"
  lu.assertEquals({ result.code, result.err, result.out }, { 0, "", self.run_dir .. "/report.html\n" })
  local text = file.read(self.run_dir .. "/report.html")
  lu.assertStrContains(text, '<figure id="subsets">')
  result = self:report "RUN/run.json --out DIR/new/page.html"
  lu.assertEquals(result.out, self.folder .. "/new/page.html\n")
  lu.assertEquals(file.read(self.folder .. "/new/page.html"), text)
end

function TestCommand:test_pictures()
  lu.skipIf(not gnuplot.found(), "gnuplot is not installed")
  local result = self:report "RUN --format pdf --out DIR/pictures"
  lu.assertEquals(result.code, 0)
  lu.assertEquals(file.list(self.folder .. "/pictures"), { "accuracy.pdf", "loss.pdf", "networks.pdf", "rate.pdf", "subsets.pdf" })
  result = self:report "RUN --format png --figure loss --out DIR/one.png"
  lu.assertEquals({ result.code, result.out }, { 0, self.folder .. "/one.png\n" })
  lu.assertEquals(file.read(self.folder .. "/one.png"):sub(1, 4), "\137PNG")
end

function TestCommand:test_json_needs_no_gnuplot()
  local result = self:report "RUN --json"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  local doc = json.decode(result.out)
  lu.assertEquals({ doc.kind, #doc.figures }, { "run", 5 })
  lu.assertNil(file.kind(self.run_dir .. "/report.html"))
end

function TestCommand:test_mistakes()
  local function says(arguments, code, pattern)
    local result = self:report(arguments)
    lu.assertEquals({ result.code, result.out }, { code, "" })
    lu.assertStrMatches(result.err, "exeunt: " .. pattern .. "\n")
  end
  says("DIR", 2, "report: .* holds no run %(no run.json in it%)")
  says("DIR/none", 2, "report: there is no run [^\n]*")
  command.write(self.folder .. "/my.lua", "return {}")
  says("DIR/my.lua", 2, "report: there is no run [^\n]*/my%.lua, and no [^\n]*")
  says("RUN --format jpg", 2, "report: %-%-format must be html, svg, png or pdf, got 'jpg'")
  says("RUN --figure loss", 2, "report: %-%-figure goes with %-%-format svg, png or pdf")
  says("RUN --format png --figure lss", 2, "report: there is no figure 'lss'; did you mean 'loss'%?")
  says("", 2, "report: missing argument 'RUN%-OR%-STUDY'")
  command.write(self.run_dir .. "/run.json", "[")
  says("RUN", 1, "[^\n]*run.json: not the document of a run")
end

os.exit(lu.LuaUnit.run())
