-- One trial's run: where it lies, what it takes over from an earlier process, and how it is ended.
local lu = require "luaunit"
local attempt = require "exeunt.search.attempt"
local file = require "exeunt.file"
local metric = require "exeunt.search.metric"
local search = dofile "tests/support/search.lua"

TestAttempt = {}

function TestAttempt:setUp()
  self.path = search.place()
  self.study = { recipe = self.path .. "/bowl.lua", digest = file.digest(self.path .. "/bowl.lua"), seed = 3, fixed = {},
                 objectives = { { path = "loss" } }, constraints = { metric.constraint "size <= 1" } }
end
function TestAttempt:tearDown() search.remove(self.path) end

function TestAttempt:run(params, more)
  local o = { study = self.study, params = params, folder = self.path .. "/runs/0000", grace = 60, before = 0,
              on_step = function() end, look = function() end }
  for k, v in pairs(more or {}) do o[k] = v end
  return attempt.run(o)
end

function TestAttempt:test_values_constraints_and_steps()
  local steps = {}
  local function keep(step, value) steps[#steps + 1] = { step, value } end
  local outcome = self:run({ x = 2 }, { before = 100, last_step = 1, on_step = keep })
  lu.assertEquals({ outcome.state, outcome.values, outcome.constraints }, { "complete", { 4 }, { 1 } })
  lu.assertEquals(steps, { { 2, 4.5 }, { 3, 4 + 1 / 3 } })
  lu.assertTrue(outcome.seconds > 100)
end

function TestAttempt:test_a_foreign_run_stays_and_an_own_one_goes_on()
  lu.assertEquals(self:run({ x = 2 }).folder, self.path .. "/runs/0000")
  lu.assertEquals(self:run({ x = 1 }).folder, self.path .. "/runs/0000-2")
  lu.assertEquals(self:run({ x = 2 }).folder, self.path .. "/runs/0000")
  lu.assertStrContains(file.read(self.path .. "/runs/0000/run.json"), '"x": 2')
  file.write(self.path .. "/bowl.lua", search.RECIPE .. "-- edited\n")
  self.study.digest = file.digest(self.path .. "/bowl.lua")
  lu.assertEquals(self:run({ x = 2 }).folder, self.path .. "/runs/0000-3")
end

-- Another process is just at it: a copy of the store, or a worker that was only thought dead.
function TestAttempt:test_a_folder_in_use_is_left_alone()
  file.make_folder(self.path .. "/runs/0000")
  file.write(self.path .. "/runs/0000/lock", "1\n")      -- as where a run begins
  local lock = file.lock(self.path .. "/runs/.0000.lock")
  lu.assertEquals(self:run({ x = 2 }).folder, self.path .. "/runs/0000-2")
  lu.assertEquals(file.list(self.path .. "/runs/0000"), { "lock" })
  lock:free()
  lu.assertEquals(self:run({ x = 2 }).folder, self.path .. "/runs/0000")
  file.lock(self.path .. "/runs/.0000.lock"):free()       -- it is let go
end

-- A folder that cannot be cleared is an error, after which nobody holds it.
function TestAttempt:test_a_folder_that_cannot_be_cleared()
  file.make_folder(self.path .. "/runs/0000")
  file.write(self.path .. "/runs/0000/lock", "1\n")
  local remove = file.remove
  file.remove = function(path) error("cannot remove " .. path, 0) end
  local ok, why = pcall(self.run, self, { x = 2 })
  file.remove = remove
  lu.assertEquals({ ok, why }, { false, "cannot remove " .. self.path .. "/runs/0000/lock" })
  file.lock(self.path .. "/runs/.0000.lock"):free()       -- it is let go
end

function TestAttempt:test_what_a_killed_beginning_left_is_taken_away()
  file.make_folder(self.path .. "/runs/0000")
  file.write(self.path .. "/runs/0000/lock", "1\n")
  file.write(self.path .. "/runs/0000/recipe.lua", "half")
  lu.assertEquals(self:run({ x = 2 }).folder, self.path .. "/runs/0000")
  os.execute(("rm -r '%s/runs/0000' && mkdir '%s/runs/0000'"):format(self.path, self.path))
  file.write(self.path .. "/runs/0000/thesis.txt", "mine")
  lu.assertEquals(self:run({ x = 2 }).folder, self.path .. "/runs/0000-2")
  lu.assertEquals(file.list(self.path .. "/runs/0000"), { "thesis.txt" })
end

function TestAttempt:test_what_the_result_lacks()
  self.study.objectives = { { path = "losss" } }
  local outcome = self:run { x = 2 }
  lu.assertEquals({ outcome.state, outcome.error, outcome.lacks },
                  { "failed", "its result has no losss; did you mean 'loss'?", "losss" })
  self.study.objectives, self.study.constraints = { { path = "loss" } }, { metric.constraint "sise <= 1" }
  outcome = self:run { x = 2 }
  lu.assertEquals({ outcome.error, outcome.lacks }, { "its result has no sise; did you mean 'size'?", "sise" })
  outcome = self:run { x = 2, fault = "nan" }
  lu.assertEquals({ outcome.error, outcome.lacks }, { "its result has loss = NaN", nil })
end

function TestAttempt:test_an_infinite_result()
  lu.assertEquals(self:run({ x = 2, fault = "inf" }).error, "its result has loss = inf")
end

-- What a run that ends by itself said last is no error of its own.
function TestAttempt:test_a_run_that_exits()
  lu.assertEquals(self:run({ x = 2, fault = "exit" }).error, "ended with code 3; it last said: nearly there")
  lu.assertStrMatches(self:run({ x = 2, fault = "error" }).error, ".*bowl.lua:%d+: a fault of the recipe")
end

function TestAttempt:test_a_folder_that_is_removed()
  self.study.recipe = self.path .. "/gone.lua"
  file.write(self.study.recipe, (search.RECIPE:gsub('print "nearly there"', ("os.execute \"rm -r '%s/runs'\""):format(self.path))))
  local outcome = self:run { x = 2, fault = "exit" }
  lu.assertEquals(outcome.error, ("ended with code 3, and its folder %s is not there any more"):format(outcome.folder))
end

-- Whatever bytes a run's last words are, a store can keep them.
function TestAttempt:test_last_words_that_are_no_text()
  local outcome = self:run { x = 2, fault = "bytes" }
  lu.assertEquals(outcome.state, "failed")
  lu.assertStrMatches(outcome.error, ".*bowl%.lua:%d+: %? %? %? ü %? € %? 😀 %? %? %?t%?")
end

function TestAttempt:test_why_a_stopper_sees_nothing()
  local folder = self:run({ x = 2 }).folder
  self.study.watch = "loos"
  local said = "has no loos in its log.jsonl, so that the stopper sees nothing; `watch` says what it looks at; did you mean 'loss'?"
  lu.assertEquals(attempt.unseen(self.study, folder), said)
  file.write(folder .. "/log.jsonl", '{"train": "aep", "epoch": 1, "loss": 2}\n{"train": "base", "epoch": 1, "vote": {"acc": 2}}\n')
  self.study.watch = "aep:loos"
  lu.assertEquals(attempt.unseen(self.study, folder), said)
  self.study.watch = "bass:loss"
  lu.assertStrContains(attempt.unseen(self.study, folder), "has no training 'bass' in its log.jsonl, so that the stopper sees nothing")
  lu.assertStrContains(attempt.unseen(self.study, folder), "; did you mean 'base'?")
  lu.assertEquals(attempt.unseen(self.study, self:run({ x = 2, steps = 0 }).folder),
                  "reported no steps (ex.train and ex.report do), so that the stopper sees nothing")
end

-- A run that is too long is asked to end, and killed where it does not.
function TestAttempt:test_too_long()
  self.study.trial_seconds = 0.3
  local outcome = self:run({ fault = "deaf" }, { grace = 0.2 })
  lu.assertEquals(outcome.state, "failed")
  lu.assertStrContains(outcome.error,
                       "longer than trial_seconds = 0.3: SIGTERM did not end it within the grace of 0.2 s, SIGKILL did; it last said: ")
  outcome = self:run({ fault = "slow" }, { grace = 60 })
  lu.assertEquals(outcome.state, "failed")
  lu.assertStrContains(outcome.error, "longer than trial_seconds = 0.3: SIGTERM ended it; it last said: ")
end

-- Paused at its last step it is complete where it has ended by itself; paused before that it is not.
function TestAttempt:test_paused_at_its_end()
  local child = require "exeunt.child"
  local function pause_at(n, folder)
    return { on_step = function(step)
      if step ~= n then return nil end
      repeat child.sleep(0.05) until file.read(folder .. ".err"):find "everything is in"
      child.sleep(0.3)                      -- it is gone
      return "paused"
    end }
  end
  lu.assertEquals(self:run({ x = 2 }, pause_at(3, self.path .. "/runs/0000")).values, { 4 })
  lu.assertEquals(self:run({ x = 3 }, pause_at(2, self.path .. "/runs/0000-2")).state, "paused")
end

function TestAttempt:test_a_verdict_ends_it_even_where_it_has_ended()
  local outcome = self:run({ x = 2 }, { on_step = function(step) return step == 2 and "stopped" or nil end })
  lu.assertEquals({ outcome.state, outcome.values }, { "stopped", nil })
  outcome = self:run({ x = 3 }, { look = function() return "lost" end })
  lu.assertEquals(outcome.state, "lost")
end

os.exit(lu.LuaUnit.run())
