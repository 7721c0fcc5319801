-- studies, trials, best and study on the command line, and what all that only read make: nothing.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local support = dofile "tests/support/search_store.lua"
local file = require "exeunt.file"
local json = require "exeunt.report.json"

TestTrials = {}

function TestTrials:setUp()
  self.it = support.make { objective = { { maximize = "acc" } }, directions = { "maximize" } }
  local store, id = self.it.store, self.it.id
  for i, value in ipairs { 0.5, 0.9, 0.7 } do
    local trial = store:claim(id, { worker = "w" })
    store:propose(trial, { lr = i / 8, name = i == 1 and "a,b" or "c", widths = { i, 2 } })
    if i == 3 then store:report(trial, 1, value) end
    store:finish(trial, { state = i == 3 and "stopped" or "complete", values = { value }, seconds = i })
  end
  store:finish(store:claim(id, { worker = "w" }), { state = "failed", error = "it crashed" })
  self.store = " --store " .. command.quote(self.it.path)
end

function TestTrials:tearDown() support.remove(self.it) end

function TestTrials:run(line) return command.run(line .. self.store) end

function TestTrials:numbers(line)
  local list = {}
  for i, trial in ipairs(json.decode(self:run("trials s --json " .. line).out)) do list[i] = trial.number end
  return list
end

function TestTrials:test_sorting_and_filtering()
  lu.assertEquals(self:numbers "", { 0, 1, 2, 3 })
  lu.assertEquals(self:numbers "--sort value", { 0, 2, 1, 3 })
  lu.assertEquals(self:numbers "--sort=-value", { 1, 2, 0, 3 })
  lu.assertEquals(self:numbers "--sort=-lr --first 2", { 2, 1 })
  lu.assertEquals(self:numbers "--where state=complete", { 0, 1 })
  lu.assertEquals(self:numbers "--where state=complete --where 'lr>0.2'", { 1 })
  lu.assertEquals(self:numbers "--where 'name!=c'", { 0 })
  lu.assertEquals(self:numbers "--where 'lr>9'", {})
  local r = self:run "trials s --where rl=1"
  lu.assertEquals(r.code, 2)
  lu.assertStrContains(r.err, "trials: --where: there is no 'rl'; did you mean 'lr'?")
  lu.assertEquals(self:run("trials s --where 'lr=>9'").code, 2)
  lu.assertStrContains(self:run("trials s --where lr").err, "--where must be as state=complete or lr<=0.1, got 'lr'")
  lu.assertStrContains(self:run("trials s --sort speed").err, "--sort: there is no 'speed'")
end

-- A choice may be of numbers and of texts: 9 < 10, "10" < "1a" < "9".
function TestTrials:test_sorting_of_both_kinds()
  for i, value in ipairs { "1a", 10, 9, "0", 10 } do
    local trial = self.it.store:claim(self.it.id, { worker = "w" })
    self.it.store:propose(trial, { kind = value })
    self.it.store:finish(trial, { state = "complete", values = { i } })
  end
  lu.assertEquals(self:numbers "--sort kind", { 6, 5, 8, 7, 4, 0, 1, 2, 3 })
  lu.assertEquals(self:numbers "--sort=-kind", { 4, 7, 5, 8, 6, 0, 1, 2, 3 })
end

-- What the table shows is what --sort and --where know.
function TestTrials:test_every_column_sorts()
  for name in (self:run("trials s").out:match "^[^\n]+"):gmatch "%S+" do
    lu.assertEquals(#self:numbers("--sort " .. name), 4, name)
  end
  lu.assertEquals(self:numbers "--sort acc", { 0, 2, 1, 3 })
  lu.assertEquals(self:numbers "--sort -acc", { 1, 2, 0, 3 })
  lu.assertEquals(self:numbers "--where 'acc>=0.7'", { 1, 2 })
  self.it.store:create("p", { objective = { { maximize = "vote.val_top1" }, { minimize = "full.macs" } } })
  local trial = self.it.store:claim(2, { worker = "w" })
  self.it.store:finish(trial, { state = "complete", values = { 0.5, 7 } })
  local function found(condition) return self:run("trials p --csv --where " .. condition).out:match "\n(%d)" end
  lu.assertEquals({ found "'full.macs=7'", found "'value2=7'", found "'vote.val_top1=0.5'", found "'full.macs=8'" }, { "0", "0", "0", nil })
  lu.assertStrContains(self:run("trials p --sort colour").err, "there is no 'colour'; there are attempts, error, feasible, finish, "
    .. "full.macs, number, run_dir, seconds, state, value, value2, vote.val_top1 and worker")
end

function TestTrials:test_an_error_of_several_lines()
  self.it.store:finish(self.it.store:claim(self.it.id, { worker = "w" }), { state = "failed", error = "it\nbroke" })
  lu.assertStrContains(self:run("trials s").out, "  it broke\n")
end

-- A search that is ended gives its trials back: nobody runs them.
function TestTrials:test_a_trial_given_back_is_interrupted()
  local store, id = self.it.store, self.it.id
  store:release(store:claim(id, { worker = "w" }))
  lu.assertEquals(self:numbers "--where state=interrupted", { 4 })
  lu.assertEquals(self:numbers "--where state=running", {})
  lu.assertStrContains(self:run("trials s").out, "4  interrupted")
  store:claim(id, { worker = "w" })
  lu.assertEquals(self:numbers "--where state=running", { 4 })
end

function TestTrials:test_forms()
  local r = self:run "trials s"
  lu.assertStrContains(r.out, "number  state     acc     lr  name  widths  seconds  error\n")
  lu.assertStrContains(r.out, "     3  failed      -")
  local csv = self:run("trials s --csv").out
  lu.assertStrContains(csv,
    "number,state,acc,lr,name,widths,seconds,feasible,attempts,run_dir,error\n0,complete,0.5,0.125,\"a,b\",\"[1, 2]\",1,true,1,,\n")
  lu.assertStrContains(csv, "\n3,failed,,,,,,,1,,it crashed\n")
  local object = json.decode(self:run("trials s --json --where number=2").out)[1]
  lu.assertEquals({ object.params, object.values, object.steps },
                  { { lr = 3 / 8, name = "c", widths = { 3, 2 } }, { 0.7 }, { { 1, 0.7 } } })
  lu.assertEquals(self:run("trials s --json --csv").code, 2)
end

-- A complete trial that breaks a constraint is told from one that counts, in every form.
function TestTrials:test_broken_constraints()
  local store = self.it.store
  local id = store:create("c", { objective = { { minimize = "loss" } }, constraints = { "size <= 3", "b >= 1" } })
  for i, excess in ipairs { { -1, 0 }, { 2, -1 }, { 0.5, 0.25 } } do
    store:finish(store:claim(id, { worker = "w" }), { state = "complete", values = { i }, constraints = excess })
  end
  store:finish(store:claim(id, { worker = "w" }), { state = "failed", error = "no" })
  local out = self:run("trials c").out
  lu.assertStrContains(out, "     0  complete                 1")
  lu.assertStrContains(out, "     1  complete, infeasible     2")
  lu.assertStrContains(out, "     3  failed                   -")
  lu.assertStrContains(self:run("trials c --csv").out, "number,state,loss,seconds,feasible,attempts,run_dir,error\n"
    .. "0,complete,1,,true,1,,\n1,complete,2,,false,1,,\n2,complete,3,,false,1,,\n3,failed,,,,1,,no\n")
  local list = json.decode(self:run("trials c --json").out)
  lu.assertEquals({ list[1].feasible, list[2].feasible, list[4].feasible, list[4].constraints }, { true, false })
  lu.assertEquals(list[2].constraints, { { constraint = "size <= 3", excess = 2, holds = false },
                                         { constraint = "b >= 1", excess = -1, holds = true } })
  local function found(condition) return #json.decode(self:run("trials c --json --where " .. condition).out) end
  lu.assertEquals({ found "feasible=true", found "feasible=false", found "state=complete" }, { 1, 2, 3 })
end

function TestTrials:test_best()
  lu.assertEquals(self:run("best s").out, "trial 1\n  acc: 0.9\n  lr = 0.25\n  name = c\n  widths = [2, 2]\n")
  lu.assertEquals(json.decode(self:run("best s --json").out)[1].number, 1)
  self.it.store:create("empty", { objective = { { maximize = "acc" } } })
  local r = self:run "best empty"
  lu.assertEquals({ r.code, r.err }, { 1, "exeunt: study 'empty' has no complete trial yet that counts\n" })
end

function TestTrials:test_studies()
  lu.assertStrContains(self:run("studies").out, "s           4         2        1       1  -      0.9  maximize acc\n")
  local list = json.decode(self:run("studies --json").out)
  lu.assertEquals({ #list, list[1].name, list[1].trials, list[1].best, list[1].objective }, { 1, "s", 4, 0.9, { "maximize acc" } })
  local r = command.run "studies --store /nowhere/x.db"
  lu.assertEquals(r.code, 1)
  lu.assertStrContains(r.err, "there is no store /nowhere/x.db: `exeunt search STUDY` makes one")
end

function TestTrials:test_export_and_import()
  local path = command.quote(self.it.folder .. "/s.jsonl")
  lu.assertEquals(self:run("study export s --out " .. path).code, 0)
  lu.assertStrContains(self:run("study export s --out " .. path).err, "is there already")
  local other = " --store " .. command.quote(self.it.folder .. "/y.db")
  local r = command.run("study import " .. path .. other)
  lu.assertStrContains(r.out, "study 's' with 4 trials is in ")
  lu.assertEquals(command.run("study export s" .. other).out, self:run("study export s").out)
  r = command.run("study import " .. path .. other)
  lu.assertEquals(r.code, 1)
  lu.assertStrContains(r.err, "import it under another name (--as NAME)")
  lu.assertEquals(command.run("study import " .. path .. " --as t --json" .. other).out, '{"study": "t", "trials": 4}\n')
  lu.assertEquals(self:run("study exprot s").code, 2)
  lu.assertStrContains(self:run("study exprot s").err, "did you mean 'export'?")
  lu.assertStrContains(self:run("study export").err, "study: export: which study?")
end

function TestTrials:test_a_refused_import_makes_no_store()
  local path, other = self.it.folder .. "/bad.jsonl", self.it.folder .. "/none/y.db"
  for text, message in pairs { ["{"] = "bad.jsonl: 1 of its lines cannot be read", ["7"] = "bad.jsonl: line 1: it is no event",
                               [""] = "bad.jsonl: it holds 0 studies" } do
    command.write(path, text .. "\n")
    local r = command.run(("study import %s --store %s"):format(command.quote(path), command.quote(other)))
    lu.assertEquals({ r.code, r.out }, { 1, "" })
    lu.assertStrContains(r.err, message)
  end
  lu.assertNil(file.kind(self.it.folder .. "/none"))
end

local READERS = { "studies", "trials s", "best s", "importance s", "report s", "study export s", "study delete s", "ask s", "tell s 0 1" }

-- Commands that only read make nothing where there is no store, or but its journal.
function TestTrials:test_who_reads_makes_nothing()
  local other = self.it.folder .. "/none"
  for _, line in ipairs(READERS) do
    local r = command.run(line .. " --store " .. command.quote(other .. "/y.db"))
    lu.assertTrue(r.code > 0, line)
    lu.assertStrContains(r.err, "no store " .. other .. "/y.db")
    lu.assertNil(file.kind(other), line)
  end
  self.it.store:close()
  os.remove(self.it.path)
  local before = file.list(self.it.folder)
  for _, line in ipairs(READERS) do
    local r = self:run(line)
    lu.assertEquals({ r.code, r.out, r.err }, { 1, "", ("exeunt: there is no store %s, but its journal is there: `exeunt study rebuild "
      .. "--store %s` makes it anew\n"):format(self.it.path, self.it.path) }, line)
    lu.assertEquals(file.list(self.it.folder), before)
  end
  lu.assertEquals(self:run("study rebuild").code, 0)
  lu.assertEquals(#json.decode(self:run("trials s --json").out), 4)
end

function TestTrials:test_delete()
  local store = self.it.store
  local trial = store:claim(self.it.id, { worker = "worker 1 here:5" })
  store:propose(trial, { lr = 1 })
  local runs = self.it.folder .. "/runs/s"
  file.make_folder(runs)
  lu.assertEquals(self:run("study delete S").code, 1)
  local r = self:run "study delete s"
  lu.assertEquals({ r.code, r.out }, { 1, "" })
  lu.assertStrMatches(r.err, "exeunt: study 's' is being worked on: trial 4 is worker 1 here:5's for another [56]%d s; end that first, or "
    .. "delete it with %-%-force\n")
  store:finish(trial, { state = "complete", values = { 1 }, run_dir = runs .. "/0004" })
  r = self:run "study delete s"
  lu.assertEquals({ r.code, r.err }, { 0, "" })
  lu.assertEquals(r.out, ("study 's' with 5 trials is deleted from %s; the runs stay in %s\n"):format(self.it.path, runs))
  lu.assertEquals(file.kind(runs), "folder")
  lu.assertStrContains(self:run("trials s").err, "holds no study 's'")
  local id = store:create("t", {})
  store:claim(id, { worker = "w" })
  lu.assertEquals(self:run("study delete t --json --force").out, '{"study": "t", "trials": 1, "runs": []}\n')
  lu.assertStrContains(self:run("study delete").err, "study: delete: which study?")
end

os.exit(lu.LuaUnit.run())
