-- ask and tell on the command line: studies without a recipe, a whole search by a script, what is refused.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local json = require "exeunt.report.json"

TestAsked = {}

function TestAsked:setUp()
  self.folder = command.folder()
  self.file = self.folder .. "/s.yaml"
  self.store = " --store " .. command.quote(self.folder .. "/x.db")
  self:study "sampler: random\ntrials: 3\n"
end

function TestAsked:tearDown() command.remove(self.folder) end

function TestAsked:study(more)
  command.write(self.file, "space:\n  lr: { log: [1e-4, 1e-1] }\n  k: { choice: [a, b] }\nobjective: { maximize: acc }\n" .. more)
end

function TestAsked:run(line) return command.run(line:gsub("FILE", command.quote(self.file)) .. self.store) end

function TestAsked:refused(line, message, code)
  local r = self:run(line)
  lu.assertEquals({ r.code, r.out }, { code or 1, "" })
  lu.assertStrContains(r.err, message)
end

function TestAsked:test_a_search_by_hand()
  local seen = {}
  for i = 0, 2 do
    local r = self:run(i == 0 and "ask FILE --json" or "ask s --json")
    lu.assertEquals(r.err, "")
    local trial = json.decode(r.out)
    lu.assertEquals(trial.number, i)
    lu.assertTrue(trial.params.lr >= 1e-4 and trial.params.lr < 0.1)
    lu.assertNil(seen[trial.params.lr])
    seen[trial.params.lr] = true
    r = self:run(("tell s %d %s"):format(i, ({ [0] = "0.5", "-0.25 --seconds 2", "nan" })[i]))
    lu.assertEquals({ r.code, r.out, r.err }, { 0, "", i == 2 and "trial 2 counts as failed: acc is nan\n" or "" })
  end
  self:refused("ask s", "the study has no more trials", 3)
  local trials = json.decode(self:run("trials s --json").out)
  lu.assertEquals({ trials[1].values, trials[2].values, trials[3].values, trials[3].state, trials[3].error },
                  { { 0.5 }, { -0.25 }, json.null, "failed", "acc is nan" })
end

function TestAsked:test_more_trials_than_at_first()
  self:study "sampler: random\ntrials: 1\n"
  self:run "ask FILE"
  self:refused("ask FILE", "the study has no more trials", 3)
  self:study "sampler: random\ntrials: 2\n"
  lu.assertEquals(json.decode(self:run("ask FILE --json").out).number, 1)
  self:refused("ask FILE", "the study has no more trials", 3)
end

function TestAsked:test_text_for_shells()
  lu.assertTrue(self:run("ask FILE").out:match "^number=0\nk=[ab]\nlr=0%.%d+\n$" ~= nil)
end

function TestAsked:test_what_tell_refuses()
  self:refused("tell s 0 1", "there is no store")
  self:run "ask FILE"
  self:refused("tell s 5 1", "study 's' has no trial 5: ask first")
  self:refused("tell s 0", "the study has 1 objective, got 0 values", 2)
  self:refused("tell s 0 1 2", "the study has 1 objective, got 2 values", 2)
  self:refused("tell s 0 x", "a value must be a number, got 'x'", 2)
  self:refused("tell t 0 1", "holds no study 't'")
  self:refused("tell s 0 1 --failed why", "a value or --failed, not both", 2)
  lu.assertEquals(self:run("tell s 0 0.5 --step 1").code, 0)
  lu.assertEquals(self:run("tell s 0 --failed 'out of memory' --json").out, '{"number": 0, "state": "failed"}\n')
  self:refused("tell s 0 1", "trial 0 of study 's' is failed: it cannot be changed")
  local trial = json.decode(self:run("trials s --json").out)[1]
  lu.assertEquals({ trial.steps, trial.error }, { { { 1, 0.5 } }, "out of memory" })
end

function TestAsked:test_what_ask_refuses()
  self:refused("ask q", "there is no store")
  self:run "ask FILE"
  self:refused("ask q", "holds no study 'q'; there is only s")
  self:study "smapler: tpe\n"
  self:refused("ask FILE", "unknown option 'smapler'; did you mean 'sampler'?")
  local store = self.store
  self.store = " --store " .. command.quote(self.folder .. "/none.db")
  self:refused("ask FILE", "unknown option 'smapler'")
  lu.assertEquals(require("exeunt.file").list(self.folder), { "s.yaml", "x.db", "x.db.jsonl" })        -- no store was begun for it
  self.store = store
  self:study "stop: meidan\n"
  self:refused("ask FILE", "stop: no stopper 'meidan'; did you mean 'median'?")
  self:study "stop: { asha: { promote: true } }\n"
  self:refused("ask FILE", "study: stop: with promote = true asha pauses trials, which trials that are asked for cannot be")
  command.write(self.file, "space:\n  lr: { uniform: [0, 1] }\nobjective: { maximize: acc }\n")
  self:refused("ask FILE", "study s was begun with something else: the space (k was choice(a, b), is not there; lr was "
    .. "log(0.0001, 0.1), is uniform(0, 1)), the sampler (was random, is tpe); put it back")
  self:refused("ask FILE --lease 0", "--lease must be a number above 0", 2)
end

function TestAsked:test_a_grid_is_used_up()
  command.write(self.file, "space:\n  k: { choice: [a, b] }\nobjective: { minimize: loss }\nsampler: grid\n")
  local found = {}
  for _ = 1, 2 do found[#found + 1] = self:run("ask FILE").out:match "k=(%w)" end
  table.sort(found)
  lu.assertEquals(found, { "a", "b" })
  self:refused("ask FILE", "the study has no more trials; 2 are still running: exeunt trials lists them, exeunt tell ends them", 3)
  self:run "tell s 0 1"
  self:refused("ask FILE", "the study has no more trials; 1 is still running: exeunt trials lists it", 3)
  self:run "tell s 1 1"
  lu.assertEquals(self:run("ask FILE").err, "exeunt: the study has no more trials\n")
  local r = self:run "ask FILE --json"                 -- no error of a script's: a code of its own, and a document
  lu.assertEquals({ r.code, r.out }, { 3, "null\n" })
  lu.assertStrContains(command.run("ask --help").out, "ends with code 3")
end

-- Numbers below 0 are no options, wherever they stand, and options are such after "--" too.
function TestAsked:test_numbers_below_zero()
  self:run "ask FILE"
  self:refused("tell s 0 -1x", "tell: a value must be a number, got '-1x'", 2)
  self:refused("tell s -1 5", "tell: NUMBER must be a whole number from 0 to 2147483647, got '-1'", 2)
  self:refused("tell s 0 1 --step -1", "tell: --step must be a whole number from 0 to 2147483647, got '-1'", 2)
  self:refused("tell s 0 --secnods 1 -1", "tell: unknown option '--secnods'; did you mean '--seconds'?", 2)
  lu.assertEquals(self:run("tell s 0 -- -1.5").code, 0)         -- followed by --store
  self:run "ask FILE"
  lu.assertEquals(self:run("tell s 1 --seconds 2 -.5e1").code, 0)
  local trials = json.decode(self:run("trials s --json").out)
  lu.assertEquals({ trials[1].values, trials[2].values, trials[2].seconds }, { { -1.5 }, { -5 }, 2 })
end

function TestAsked:test_a_changed_file()
  self:run "ask FILE"
  command.write(self.file, "space:\n  lr: { log: [1e-4, 1e-1] }\n  k: { choice: [a, b] }\nobjective: { minimize: acc }\nsampler: random\n")
  self:refused("ask FILE", "somebody works on its trial 0")
  self:run "tell s 0 1"
  self:refused("ask FILE", "study s was begun with something else: the objective (was maximize acc, is minimize acc); put it back, "
    .. "give the study another name")
end

function TestAsked:test_a_file_that_is_not_there()
  self:refused("ask none.yaml", "there is no file none.yaml")
  self:run "ask FILE"
  self:refused("ask none.yaml", "there is no file none.yaml, and ")
  self:refused("ask S.yaml", "holds no study of that name; there is only s")
end

-- A trial that nobody told of is given out again.
function TestAsked:test_a_lost_trial()
  local first = self:run("ask FILE --lease 0.000001").out
  lu.assertEquals(self:run("ask FILE").out, first)
end

os.exit(lu.LuaUnit.run())
