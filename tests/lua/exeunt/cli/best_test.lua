-- `exeunt best` on the command line: one objective, several, constraints; as text and as JSON.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local support = dofile "tests/support/search_store.lua"
local json = require "exeunt.report.json"

TestBest = {}

function TestBest:setUp()
  self.it = support.make { objective = { { minimize = "loss" } }, directions = { "minimize" } }
  self.store = " --store " .. command.quote(self.it.path)
end

function TestBest:tearDown() support.remove(self.it) end

function TestBest:trial(id, fields)
  local trial = self.it.store:claim(id, { worker = "w" })
  self.it.store:propose(trial, { x = trial.number / 4, list = { 1, 2 } })
  self.it.store:finish(trial, fields)
end

function TestBest:test_what_counts()
  self:trial(self.it.id, { state = "stopped", values = { 0 } })
  self:trial(self.it.id, { state = "complete", values = { 1 }, constraints = { 0.5 } })
  local r = command.run("best s" .. self.store)
  lu.assertEquals({ r.code, r.out, r.err }, { 1, "", "exeunt: study 's' has no complete trial yet that counts: 1 of 1 complete trial "
    .. "breaks a constraint and does not count\n" })
  self:trial(self.it.id, { state = "complete", values = { 3 }, constraints = { 0 }, run_dir = "runs/s/0002" })
  self:trial(self.it.id, { state = "complete", values = { 4 } })
  lu.assertEquals(command.run("best s" .. self.store).out, "trial 2\n  loss: 3\n  list = [1, 2]\n  x = 0.5\n  runs/s/0002\n\n"
    .. "1 of 3 complete trials breaks a constraint and does not count\n")
end

function TestBest:test_several_objectives()
  local id = self.it.store:create("p", { objective = { { maximize = "acc" }, { minimize = "macs" } } })
  for _, values in ipairs { { 0.5, 10 }, { 0.4, 20 }, { 0.9, 30 } } do self:trial(id, { state = "complete", values = values }) end
  local r = command.run("best p" .. self.store)
  lu.assertEquals(r.out, "trial 0\n  acc: 0.5\n  macs: 10\n  list = [1, 2]\n  x = 0\n\n"
    .. "trial 2\n  acc: 0.9\n  macs: 30\n  list = [1, 2]\n  x = 0.5\n")
  local list = json.decode(command.run("best p --json" .. self.store).out)
  lu.assertEquals({ #list, list[1].number, list[2].values }, { 2, 0, { 0.9, 30 } })
end

function TestBest:test_mistakes()
  local r = command.run("best t" .. self.store)
  lu.assertEquals({ r.code, r.out }, { 1, "" })
  lu.assertStrContains(r.err, "holds no study 't'; there is only s\n")
  lu.assertStrContains(command.run("best ../t.lua" .. self.store).err, "there is no file ../t.lua, and ")
  lu.assertEquals(command.run("best" .. self.store).code, 2)
end

os.exit(lu.LuaUnit.run())
