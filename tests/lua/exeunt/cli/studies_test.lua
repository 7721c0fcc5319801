-- `exeunt studies` on the command line: a row a study, as a table and as JSON.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local support = dofile "tests/support/search_store.lua"
local json = require "exeunt.report.json"

TestStudies = {}

function TestStudies:setUp()
  self.it = support.make { objective = { { minimize = "loss" } } }
  self.store = " --store " .. command.quote(self.it.path)
end

function TestStudies:tearDown() support.remove(self.it) end

function TestStudies:test_rows()
  support.complete(self.it, 2)
  self.it.store:claim(self.it.id, { worker = "w" })
  self.it.store:release(self.it.store:claim(self.it.id, { worker = "w" }))
  self.it.store:create("many", { objective = { { maximize = "acc" }, { minimize = "macs" } } })
  local r = command.run("studies" .. self.store)
  lu.assertEquals({ r.code, r.err }, { 0, "" })
  lu.assertEquals(r.out, [[
study  trials  complete  stopped  failed  open                      best  objective
-----  ------  --------  -------  ------  ------------------------  ----  ---------------------------
s           4         2        0       0  1 running, 1 interrupted     0  minimize loss
many        0         0        0       0  -                            -  maximize acc, minimize macs
]])
  local list = json.decode(command.run("studies --json" .. self.store).out)
  lu.assertEquals({ #list, list[1].name, list[1].running, list[1].best, list[2].objective, list[2].best },
                  { 2, "s", 1, 0, { "maximize acc", "minimize macs" }, nil })
end

-- A trial that a stopper has paused is told from one that runs.
function TestStudies:test_paused()
  local trial = self.it.store:claim(self.it.id, { worker = "w" })
  self.it.store:propose(trial, { x = 1 })
  self.it.store:report(trial, 1, 0.5)
  self.it.store:finish(trial, { state = "paused" })
  lu.assertStrContains(command.run("studies" .. self.store).out, "  1 paused  -     minimize loss\n")
  lu.assertEquals(json.decode(command.run("studies --json" .. self.store).out)[1].paused, 1)
end

-- Of many studies a message names some.
function TestStudies:test_many_names()
  for i = 1, 20 do self.it.store:create("t" .. i, { objective = { { minimize = "loss" } } }) end
  for _, line in ipairs { "trials none", "report none", "best a/none.yaml" } do
    lu.assertStrContains(command.run(line .. self.store).err, "; there are s, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 11 more\n")
  end
end

function TestStudies:test_an_empty_store()
  local empty = self.it.folder .. "/empty.db"
  require("exeunt.search.store").open(empty):close()
  local r = command.run("studies --store " .. command.quote(empty))
  lu.assertEquals({ r.code, r.out }, { 0, empty .. " holds no study yet\n" })
  lu.assertEquals(command.run("studies --json --store " .. command.quote(empty)).out, "[]\n")
end

os.exit(lu.LuaUnit.run())
