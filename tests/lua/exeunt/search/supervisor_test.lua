-- Joining a study in a store: the same, another, one that was put right; what a search says at its end.
local lu = require "luaunit"
local ex = require "exeunt"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local Store = require "exeunt.search.store"
local search = dofile "tests/support/search.lua"
local supervisor = require "exeunt.search.supervisor"

TestSupervisor = {}

function TestSupervisor:setUp()
  self.path = search.place()
  self.store = Store.open(self.path .. "/s.db")
  self.id = supervisor.join(self.store, self:study())
end

function TestSupervisor:tearDown()
  self.store:close()
  search.remove(self.path)
end

-- A study of the bowl; what is given takes the place of what is usual.
function TestSupervisor:study(given)
  local all = { recipe = self.path .. "/bowl.lua", space = { x = ex.uniform(-1, 1) }, objective = { minimize = "loss" }, trials = 3,
                stop = ex.stopper.median(), name = "s" }
  for k, v in pairs(given or {}) do all[k] = v end
  return ex.study(all)
end

-- A trial in the store in this state, with steps or without.
function TestSupervisor:trial(state, step)
  local trial = self.store:claim(self.id, { worker = "w" })
  self.store:propose(trial, { x = 0.5 })
  if step then self.store:report(trial, step, 1) end
  if state == "open" then self.store:release(trial)
  elseif state ~= "running" then
    self.store:finish(trial, { state = state, values = state == "complete" and { 1 } or nil, error = state == "failed" and "why" or nil })
  end
end

-- The study of setUp in a file, for a command.
function TestSupervisor:file(trials)
  file.write(self.path .. "/study.lua", ([[
local ex = require "exeunt"
return ex.study { recipe = "bowl.lua", space = { x = ex.uniform(-1, 1) }, objective = { minimize = "loss" }, trials = %d,
                  stop = ex.stopper.median(), name = "s" }
]]):format(trials))
end

function TestSupervisor:document() return self.store:study("s").document end

function TestSupervisor:refused(given, words)
  local before = self:document()
  local ok, why = pcall(supervisor.join, self.store, self:study(given))
  lu.assertFalse(ok)
  lu.assertEquals(why, ("study s was begun with something else: %s; put it back, give the study another name (name = \"...\"), or take the "
    .. "old one away (exeunt study delete s)"):format(words))
  lu.assertEquals(self:document(), before)
end

function TestSupervisor:test_the_same_study()
  lu.assertEquals({ supervisor.join(self.store, self:study { trials = 9 }) }, { self.id, false })
end

-- Limits are those of the file, also while somebody works, and for those who know the store alone.
function TestSupervisor:test_other_limits()
  self:trial "running"
  lu.assertFalse(self.store:limit(self.id, self:document()))
  lu.assertEquals({ supervisor.join(self.store, self:study { trials = 9, seconds = 60 }) }, { self.id, false })
  local doc = self:document()
  lu.assertEquals({ doc.trials, doc.seconds, doc.objective, doc.points }, { 9, 60, { { minimize = "loss" } }, {} })
  lu.assertErrorMsgContains("there is a study 's' already", self.store.create, self.store, "s", { trials = 1 })
  supervisor.join(self.store, self:study {})
  lu.assertEquals({ self:document().trials, self:document().seconds }, { 3 })
  lu.assertEquals(#require("exeunt.search.study").changes(self:document(), self:study():document()), 0)
end

-- An objective that no result has: what was tried failed or is open, so that it may be put right.
function TestSupervisor:test_an_objective_put_right()
  self:trial "failed"
  self:trial "open"
  local id, edited, words = supervisor.join(self.store, self:study { objective = { maximize = "size" }, constraints = { "loss <= 1" } })
  lu.assertEquals({ id, edited, words }, { self.id, false, "the objective (was minimize loss, is maximize size), the constraints "
    .. "(were not given, are loss <= 1)" })
  local doc = self:document()
  lu.assertEquals({ doc.objective, doc.directions, doc.constraints }, { { { maximize = "size" } }, { "maximize" }, { "loss <= 1" } })
  lu.assertEquals(#self.store:trials(self.id), 2)
  -- and the journal knows
  self.store:close()
  os.remove(self.path .. "/s.db")
  lu.assertEquals((search.run(self.path, "", "study rebuild --store s.db")), 0)
  self.store = Store.open(self.path .. "/s.db")
  lu.assertEquals(self:document().objective, { { maximize = "size" } })
end

-- Without a trial all may change, the recipe too.
function TestSupervisor:test_a_study_without_trials()
  require("exeunt.file").write(self.path .. "/bowl.lua", search.RECIPE .. "-- edited\n")
  local other = self:study { space = { y = ex.uniform(-1, 2) }, seed = 5 }
  lu.assertEquals({ supervisor.join(self.store, other) }, { self.id, false, "the space (x was uniform(-1, 1), is not there; "
    .. "y is uniform(-1, 2), was not there), the seed (was 420, is 5)" })
  lu.assertEquals(self:document().recipe_sha256, other.digest)
  lu.assertEquals({ supervisor.join(self.store, other) }, { self.id, false, nil })
end

function TestSupervisor:test_what_trials_have_gone_by_is_not_changed()
  self:trial "failed"
  self:refused({ space = { x = ex.uniform(-1, 2) } }, "the space (x was uniform(-1, 1), is uniform(-1, 2))")
  self:refused({ seed = 7, objective = { minimize = "size" } }, "the objective (was minimize loss, is minimize size), the seed (was 420, "
    .. "is 7)")
  self:trial "complete"
  self:refused({ objective = { minimize = "size" } }, "the objective (was minimize loss, is minimize size)")
  self:refused({ constraints = { "size <= 1" } }, "the constraints (were not given, are size <= 1)")
end

-- A stopper that has seen nothing may see something else, whatever the trials gave.
function TestSupervisor:test_what_the_stopper_sees()
  self:trial "complete"
  local _, _, words = supervisor.join(self.store, self:study { watch = "other" })
  lu.assertEquals({ words, self:document().watch }, { "what is watched (was not given, is other)", "other" })
  self:trial("failed", 3)
  self:refused({ watch = "loss" }, "what is watched (was other, is loss)")
  self:refused({ watch = "other", stop = ex.stopper.asha() }, "the stopper (was median, is asha)")
end

function TestSupervisor:test_steps_hold_the_objective_that_they_are_of()
  self:trial("open", 3)
  self:refused({ objective = { minimize = "size" } }, "the objective (was minimize loss, is minimize size)")
  self:refused({ objective = { maximize = "loss" } }, "the objective (was minimize loss, is maximize loss)")
  local _, _, words = supervisor.join(self.store, self:study { objective = { minimize = "size" }, watch = "loss" })
  lu.assertEquals(words, "the objective (was minimize loss, is minimize size), what is watched (was not given, is loss)")
end

function TestSupervisor:test_nothing_is_changed_under_somebodys_hands()
  self:trial "running"
  lu.assertErrorMsgContains("somebody works on its trial 0", supervisor.join, self.store, self:study { objective = { minimize = "size" } })
end

function TestSupervisor:test_an_edited_recipe()
  self:trial "running"                      -- by another search
  require("exeunt.file").write(self.path .. "/bowl.lua", search.RECIPE .. "-- edited\n")
  lu.assertErrorMsgContains("has changed since it was begun", supervisor.join, self.store, self:study())
  lu.assertEquals({ supervisor.join(self.store, self:study(), true) }, { self.id, true })
end

-- ... which may be put right while no trial has ended well: what is fixed too.
function TestSupervisor:test_a_recipe_put_right()
  self:trial "failed"
  self:trial "open"
  file.write(self.path .. "/bowl.lua", search.RECIPE .. "-- edited\n")
  local other = self:study { fixed = { steps = 2 } }
  lu.assertEquals({ supervisor.join(self.store, other) }, { self.id, false, "what is fixed (steps is 2, was not there), the recipe" })
  lu.assertEquals({ self:document().recipe_sha256, self:document().fixed }, { other.digest, { steps = 2 } })
  self:trial("failed", 1)                   -- the stopper has seen a step of it
  file.write(self.path .. "/bowl.lua", search.RECIPE .. "-- edited again\n")
  lu.assertErrorMsgContains("has changed since it was begun", supervisor.join, self.store, self:study { fixed = { steps = 2 } })
  self:refused({}, "what is fixed (steps was 2, is not there)")
end

function TestSupervisor:test_a_recipe_of_complete_trials()
  self:trial "complete"
  file.write(self.path .. "/bowl.lua", search.RECIPE .. "-- edited\n")
  lu.assertErrorMsgContains("has changed since it was begun", supervisor.join, self.store, self:study())
end

function TestSupervisor:test_the_text_says_what_is_paused()
  local function found(...)
    local trials = { { number = 0, state = "complete", values = { 2 }, params = { x = 1 }, run_dir = "r" } }
    for _, number in ipairs { ... } do trials[#trials + 1] = { number = number, state = "paused", params = { x = 1 }, steps = {} } end
    return { trials = trials, seconds = 1 }
  end
  lu.assertEquals(supervisor.text(self:study { trials = 2 }, found(1)), "study s: 2 trials in 1s (1 complete, 1 paused)\n"
    .. "best: trial 0, loss 2\n  x=1\n  r\n  again: exeunt run " .. self.path .. "/bowl.lua x=1 --seed 420\n"
    .. "paused and not taken up again by the stopper: trial 1\n")
  lu.assertStrContains(supervisor.text(self:study(), found(1, 4, 7)), "stopper: trials 1, 4 and 7\n")
  local stopped = found(1)
  stopped.stopped = "SIGINT"
  lu.assertNotStrContains(supervisor.text(self:study(), stopped), "not taken up")
  lu.assertEquals(supervisor.document(self:study(), found(1), "a.db").paused, 1)
end

-- A number that a worker withdrew while there were later ones: what is left is counted, and the search is at its end.
function TestSupervisor:test_a_number_that_was_withdrawn()
  local first = self.store:claim(self.id, { worker = "w" })
  for _ = 1, 2 do self:trial "complete" end
  self.store:withdraw(first)
  self:file(3)
  local code, out, err = search.run(self.path, "--store s.db --json")
  lu.assertEquals(code, 0, err)
  local doc = json.decode(out)
  lu.assertEquals({ doc.trials, doc.complete, doc.running, doc.best[1].number }, { 2, 2, 0, 1 })
end

-- A sampler that never comes to its end is ended with its worker, a little after the grace.
function TestSupervisor:test_a_worker_that_does_not_end()
  search.study(self.path, 'sampler = function() io.stderr:write "asked"; while true do end end, trials = 2')
  local run = search.begin(self.path, "--grace 0.1")
  local err = self.path .. "/runs/study/worker-1.err"
  repeat until file.kind(err) and file.read(err):find "asked" or run:wait(0.05)
  run:signal "TERM"
  local code
  for _ = 1, 600 do code = code or run:wait(0.1) end
  run:free()
  lu.assertEquals(code, 143, file.read(self.path .. "/stderr"))
  lu.assertStrContains(file.read(self.path .. "/stderr"), "worker 1 did not end within the grace of 0.1 s: it is killed")
end

-- Somebody has asked for a trial and does not tell: a search that waits for it says so.
function TestSupervisor:test_a_search_says_what_it_waits_for()
  local trial = self.store:claim(self.id, { worker = "me", lease = 86400 })
  self.store:propose(trial, { x = 0.5 })
  self:file(1)
  local run, err = search.begin(self.path, "--store s.db"), self.path .. "/stderr"
  local code
  for _ = 1, 600 do
    code = code or run:wait(0.1)
    if code or file.kind(err) and file.read(err):find "\n" then break end
  end
  local said = file.read(err)
  self.store:finish(trial, { state = "complete", values = { 1 } })
  for _ = 1, 600 do code = code or run:wait(0.1) end
  run:free()
  lu.assertEquals(said, "waiting for trial 0 of me (lease of 24h 00m); whom nobody hears of in the time of a lease loses the trial to "
    .. "another: `exeunt tell s 0 VALUE` or --failed WHY ends it before that\n")
  lu.assertEquals(code, 0)
end

os.exit(lu.LuaUnit.run())
