-- `exeunt tell` on the command line: values, steps, failures; what it refuses: tests/lua/exeunt/search/asked_test.lua.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local json = require "exeunt.report.json"

TestTell = {}

function TestTell:setUp()
  self.folder = command.folder()
  self.store = (" --store %s/x.db"):format(self.folder)
  command.write(self.folder .. "/s.yaml",
                "space: { k: { uniform: [0, 1] } }\nobjective: [{ minimize: l }, { maximize: a }]\nsampler: random\ntrials: 9\n")
  self:run(("ask %s/s.yaml"):format(self.folder))
end

function TestTell:tearDown() command.remove(self.folder) end

function TestTell:run(line)
  local r = command.run(line .. self.store)
  lu.assertEquals({ r.code, r.err }, { 0, "" }, line)
  return r.out
end

function TestTell:trial(number) return json.decode(self:run "trials s --json")[number + 1] end

function TestTell:test_a_value_for_each_objective()
  lu.assertEquals(self:run "tell s 0 -0.5 2e3 --seconds 1.5 --json", '{"number": 0, "state": "complete"}\n')
  local trial = self:trial(0)
  lu.assertEquals({ trial.state, trial.values, trial.seconds }, { "complete", { -0.5, 2000 }, 1.5 })
  local r = command.run("tell s 1 2" .. self.store)
  lu.assertEquals({ r.code, r.err }, { 1, "exeunt: study 's' has no trial 1: ask first\n" })
end

-- Steps of a study with a stopper: whether to go on, and the end there.
function TestTell:test_a_stopper()
  local path = self.folder .. "/t.yaml"
  command.write(path, "space: { k: { uniform: [0, 1] } }\nobjective: { minimize: l }\nsampler: random\n"
                .. "stop: { median: { startup: 1 } }\ntrials: 9\n")
  for _ = 0, 2 do self:run("ask " .. path) end
  lu.assertEquals(self:run "tell t 0 1 --step 1", "go on\n")
  self:run "tell t 0 0.5"
  lu.assertEquals(self:run "tell t 1 0.9 --step 1 --json", '{"number": 1, "state": "running", "stop": false}\n')
  lu.assertEquals(self:run "tell t 1 2 --step 2", "go on\n")                  -- its best was good
  lu.assertEquals(self:run "tell t 2 3 --step 1 --json", '{"number": 2, "state": "running", "stop": true}\n')
  lu.assertEquals(self:run "tell t 2 0 --step 1", "stop\n")                   -- a step keeps its value
  local r = command.run("tell t 2 3 --stopped" .. self.store)
  lu.assertEquals({ r.code, r.err }, { 2, "exeunt: tell: --stopped stands alone: the last step's value counts\n" })
  lu.assertEquals(self:run "tell t 2 --stopped --seconds 2 --json", '{"number": 2, "state": "stopped"}\n')
  local trial = json.decode(self:run "trials t --json")[3]
  lu.assertEquals({ trial.state, trial.values, trial.seconds }, { "stopped", { 3 }, 2 })
  self:run("ask " .. path)
  r = command.run("tell t 3 --stopped" .. self.store)
  lu.assertEquals({ r.code, r.err }, { 1, "exeunt: trial 3 of study 't' has no step: tell its steps first (--step), or --failed WHY\n" })
end

function TestTell:test_steps()
  lu.assertEquals(self:run "tell s 0 -3 --step 1 --json", '{"number": 0, "state": "running", "stop": false}\n')
  lu.assertEquals(self:run "tell s 0 4 --step 2", "")       -- there is no stopper
  lu.assertEquals(self:trial(0).steps, { { 1, -3 }, { 2, 4 } })
end

function TestTell:test_a_failure_of_several_lines()
  self:run "tell s 0 --failed 'out of\nmemory'"
  lu.assertEquals({ self:trial(0).state, self:trial(0).error }, { "failed", "out of\nmemory" })
  lu.assertStrContains(self:run "trials s", "  out of memory\n")
end

os.exit(lu.LuaUnit.run())
