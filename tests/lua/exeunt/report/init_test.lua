-- report/init.lua: reports of folders and studies, and as JSON.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local command = dofile "tests/support/command.lua"
local json = require "exeunt.report.json"
local report = require "exeunt.report"
local runs = require "runs"
local studies = require "studies"

TestReport = {}

function TestReport:setUp() self.folder = command.folder() end
function TestReport:tearDown() command.remove(self.folder) end

-- The folder of a run: its document with a null in it, its log with a last line that was cut off.
function TestReport:write_run()
  local doc = runs.document()
  doc.pruned = json.null
  command.write(self.folder .. "/run.json", json.encode(doc))
  local lines = {}
  for i, line in ipairs(runs.log({ "aep" }, 2, 3)) do lines[i] = json.encode(line) end
  command.write(self.folder .. "/log.jsonl", table.concat(lines, "\n") .. "\n{\"train\": \"ae")
end

local function names(r)
  local out = {}
  for i, fig in ipairs(r.figures) do out[i] = fig.name end
  return out
end

function TestReport:test_a_folder()
  self:write_run()
  local r = report.of_run(self.folder)
  lu.assertEquals({ r.kind, names(r) }, { "run", { "networks", "subsets", "accuracy", "loss", "rate" } })
end

function TestReport:test_what_is_no_run()
  command.write(self.folder .. "/run.json", "{")
  lu.assertErrorMsgContains("run.json: not the document of a run", report.of_run, self.folder)
  lu.assertErrorMsgContains("cannot read", report.of_run, self.folder .. "/none")
end

function TestReport:test_json()
  self:write_run()
  local doc = json.decode(report.document(report.of_run(self.folder)))
  lu.assertEquals({ doc.kind, doc.facts.seed, #doc.figures }, { "run", "420", 5 })
  local subsets = doc.figures[2]
  lu.assertEquals({ subsets.name, subsets.y }, { "subsets", "validation top-1 (%)" })
  lu.assertEquals(subsets.numbers[1], { exits = "3", ["validation top-1"] = 0.8284, ["validation top-5"] = 0.99,
                                        ["MACs an image"] = 29128448, parameters = 288170, note = "front" })
  lu.assertEquals(subsets.series[2].x[1], 29.128448)
end

function TestReport.test_json_of_a_study()
  local doc = json.decode(report.document(report.of_study(studies.make(30, 1))))
  local trials = doc.tables[#doc.tables]
  lu.assertEquals({ doc.kind, trials.title, #trials.rows }, { "study", "Trials", 30 })
  lu.assertEquals(trials.rows[1].trial, 0)
  lu.assertEquals(doc.figures[1].name, "history")
end

os.exit(lu.LuaUnit.run())
