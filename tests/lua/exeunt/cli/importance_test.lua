-- cli/importance_test.lua: the shares of a study in a store, as a table and as JSON, and what is refused.

local lu = require "luaunit"
local ex = require "exeunt"
local json = require "exeunt.report.json"
local command = dofile "tests/support/command.lua"
local Space = require "exeunt.search.space"
local Store = require "exeunt.search.store"

TestImportanceCommand = {}

function TestImportanceCommand:setUp()
  self.folder = command.folder()
  self.address = self.folder .. "/studies.db"
end

function TestImportanceCommand:tearDown() command.remove(self.folder) end

-- A store with a study whose first value is all lr's and whose second all batch's doing.
function TestImportanceCommand:fill(count)
  local store, space = Store.open(self.address), Space.new { lr = ex.log(1e-3, 1), batch = ex.int(1, 64) }
  local id = store:create("demo", { space = space:document(), objective = { { maximize = "vote" }, { minimize = "macs" } } })
  for number = 0, count - 1 do
    local params = ex.sampler.sobol():suggest { space = space, seed = 1, number = number }
    local trial = store:claim(id, { worker = "w", lease = 60 })
    store:propose(trial, params)
    store:finish(trial, { state = "complete", values = { -math.log(params.lr), params.batch } })
  end
  store:close()
end

function TestImportanceCommand:test_table_and_json()
  self:fill(64)
  local result = command.run(("importance demo --store %s"):format(self.address))
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertStrMatches(result.out, "study demo, 64 trials: what decides who is best at vote %(maximize%)\n\nknob .*\nlr .* %% +#+\nbatch .*")
  lu.assertNotStrContains(result.out, "rough")
  for path, knob in pairs { vote = "lr", macs = "batch" } do
    result = command.run(("importance demo --json --objective %s --store %s"):format(path, self.address))
    lu.assertEquals({ result.code, result.err }, { 0, "" })
    local doc = json.decode(result.out)
    lu.assertEquals({ doc.study, doc.objective, doc.trials, #doc.importance }, { "demo", path, 64, 2 })
    lu.assertEquals(doc.importance[1].knob, knob)
    lu.assertTrue(doc.importance[1].share > 0.8)
    lu.assertAlmostEquals(doc.importance[1].share + doc.importance[2].share, 1, 1e-12)
  end
end

function TestImportanceCommand:test_refusals()
  local function refused(arguments, code, message)
    local result = command.run(("importance %s --store %s"):format(arguments, self.address))
    lu.assertEquals({ result.code, result.out }, { code, "" })
    lu.assertStrContains(result.err, message)
  end
  refused("demo", 1, "there is no store ")
  self:fill(5)
  refused("dem", 1, "holds no study 'dem'; did you mean 'demo'?")
  refused("demo --objective vot", 2, "the study has no objective 'vot'; did you mean 'vote'?")
  refused("demo", 1, "importance: 5 usable trials are too few; it takes 8 that ended with a value")
end

function TestImportanceCommand:test_few_trials_are_said()
  self:fill(49)
  local out = command.run(("importance demo --store %s"):format(self.address)).out
  lu.assertStrContains(out, "\n\nOf fewer than 50 trials these shares are rough: chance can change their order.\n")
end

-- A knob under another's value: how many trials have it, and where they are too few.
function TestImportanceCommand:test_a_knob_that_few_trials_have()
  local store = Store.open(self.address)
  local space = Space.new { kind = ex.choice { "p", "q" }, depth = ex.only(ex.int(1, 9), { kind = "q" }) }
  local id = store:create("demo", { space = space:document(), objective = { { maximize = "vote" } } })
  for number = 0, 59 do
    local trial = store:claim(id, { worker = "w" })
    store:propose(trial, number < 5 and { kind = "q", depth = number + 1 } or { kind = "p" })
    store:finish(trial, { state = "complete", values = { number } })
  end
  store:close()
  local out = command.run(("importance demo --store %s"):format(self.address)).out
  lu.assertStrContains(out, [[
knob   trials    share
-----  ------  -------  ------------------------------
kind       60  100.0 %  ##############################
depth       5        -

Too few trials have depth to say: it takes 8.
]])
  local doc = json.decode(command.run(("importance demo --json --store %s"):format(self.address)).out)
  lu.assertEquals(doc.importance, { { knob = "kind", share = 1, trials = 60 }, { knob = "depth", share = json.null, trials = 5 } })
end

-- Trials that were stopped count, and it is said how.
function TestImportanceCommand:test_stopped_trials()
  self:fill(12)
  local store = Store.open(self.address)
  for number = 12, 19 do
    local trial = store:claim(1, { worker = "w" })
    store:propose(trial, { lr = 0.9, batch = number })
    store:report(trial, 1, 0)
    store:finish(trial, { state = "stopped", values = { 0 } })
  end
  store:close()
  local out = command.run(("importance demo --store %s"):format(self.address)).out
  lu.assertStrContains(out, "study demo, 20 trials: ")
  lu.assertStrContains(out, "\n\n8 of the 20 trials were ended before their end: they count as worse than the complete ones.\nOf fewer")
  lu.assertStrContains(command.run(("importance demo --objective macs --store %s"):format(self.address)).out, "study demo, 12 trials: ")
end

os.exit(lu.LuaUnit.run())
