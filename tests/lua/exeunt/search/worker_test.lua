-- Workers, from the outside: small searches with a recipe that needs no data set, and what the store then holds.
local lu = require "luaunit"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local search = dofile "tests/support/search.lua"

TestWorker = {}

function TestWorker:setUp() self.path = search.place() end
function TestWorker:tearDown() search.remove(self.path) end

-- Searches to the end, and gives the trials.
function TestWorker:search(text, space, arguments)
  search.study(self.path, text, space)
  local code, out, err = search.run(self.path, arguments)
  lu.assertEquals(code, 0, err)
  self.out, self.err = out, err
  return search.trials(self.path)
end

local function picked(trials, field)
  local list = {}
  for i, trial in ipairs(trials) do list[i] = trial[field] end
  return list
end

function TestWorker:test_a_trial_is_a_run_of_its_own()
  local trials = self:search('sampler = "random", trials = 1, seed = 5, fixed = { steps = 2 }')
  local trial = trials[1]
  lu.assertEquals({ trial.number, trial.state, trial.attempts, trial.run_dir }, { 0, "complete", 1, "runs/study/0000" })
  local doc = json.decode(file.read(self.path .. "/runs/study/0000/run.json"))
  lu.assertEquals({ doc.knobs.x, doc.knobs.steps, doc.seed }, { trial.params.x, 2, 5 })       -- every digit of x
  lu.assertEquals(trial.values, { trial.params.x ^ 2 })
  lu.assertEquals(trial.steps, { { 1, trial.values[1] + 1 }, { 2, trial.values[1] + 0.5 } })
  lu.assertTrue(trial.seconds > 0)
end

function TestWorker:test_lists_texts_and_truths_reach_the_recipe()
  local trials = self:search('sampler = "grid"', '{ list = ex.choice { {1, 2.5}, {3} }, kind = ex.choice { "a b", "c\'d" } }')
  lu.assertEquals(#trials, 4)
  for i, trial in ipairs(trials) do
    local doc = json.decode(file.read(("%s/runs/study/%04d/run.json"):format(self.path, i - 1)))
    lu.assertEquals({ doc.knobs.list, doc.knobs.kind }, { trial.params.list, trial.params.kind })
  end
end

function TestWorker:test_points_come_first()
  local trials = self:search('sampler = "random", trials = 3, points = { { x = 1.5 }, { x = -0.5 } }')
  lu.assertEquals({ trials[1].params.x, trials[2].params.x, trials[3].state }, { 1.5, -0.5, "complete" })
end

function TestWorker:test_a_function_as_sampler_ends_the_study()
  local trials = self:search([[trials = 9, sampler = function(ask)
    local n = #ask.trials
    if n < 3 then return { x = n / 2 } end
  end]])
  lu.assertEquals(#trials, 3)
  lu.assertEquals({ trials[1].params.x, trials[2].params.x, trials[3].params.x }, { 0, 0.5, 1 })
end

-- A worker that runs nothing, on a store in a folder of its own: it, and what support.make gave.
local function idle_worker(given)
  local support = dofile "tests/support/search_store.lua"
  local it = support.make()
  local study = { name = "s", sampler = require("exeunt.search.samplers").of(given.sampler), points = {}, seed = 1, retries = 3,
                  space = require("exeunt.search.space").new(given.space or { x = require("exeunt").uniform(0, 100) }), lag = given.lag,
                  directions = { "minimize" }, objectives = { { path = "l" } }, constraints = {}, fixed = {},
                  most = function() return given.most or math.huge end }
  local worker = require("exeunt.search.worker").new { store = it.store, id = it.id, study = study, name = "w", lease = given.lease,
                                                       runs = it.folder .. "/runs" }
  return worker, it, function() support.remove(it) end
end

-- Makes a worker end its trials at once, with the value 1, and raise where it is given no point again and again.
local function without_runs(worker, it)
  local withdraw, count = it.store.withdraw, 0
  function worker:work(trial) self.store:finish(trial, { state = "complete", values = { 1 } }) end
  function it.store:withdraw(trial)
    count = count + 1
    if count > 20 then error "it claims and withdraws again and again" end
    return withdraw(self, trial)
  end
end

-- A sampler that gives nothing is not asked again while nothing changes.
function TestWorker.test_a_function_that_never_has_a_point()
  local asked = 0
  local worker, it, done = idle_worker { sampler = function() asked = asked + 1 end }
  without_runs(worker, it)
  local ok, outcome = pcall(worker.run, worker)
  local trials = it.store:trials(it.id)
  done()
  lu.assertTrue(ok, outcome)
  lu.assertEquals({ outcome, #trials, asked }, { "done", 0, 1 })
end

-- ... and is asked again once a trial has finished that it waited for.
function TestWorker.test_a_function_that_waits_for_a_trial()
  local worker, it, done = idle_worker { sampler = function(ask)
    return #ask.trials == 1 and ask.trials[1].state == "complete" and { x = 1 } or nil
  end }
  without_runs(worker, it)
  local first = it.store:claim(it.id, { worker = "v" })
  it.store:propose(first, { x = 0 })
  local refused = worker:propose(worker:claim())
  local idle, running = worker:claim()
  it.store:finish(first, { state = "complete", values = { 2 } })
  local ok, outcome = pcall(worker.run, worker)
  local trials = it.store:trials(it.id)
  done()
  lu.assertTrue(ok, outcome)
  lu.assertEquals({ refused, idle or "none", running, outcome, #trials }, { false, "none", 1, "done", 2 })
end

-- A finite space that is used up ends the study, whatever the budget is.
function TestWorker.test_a_finite_space_ends()
  local ex = require "exeunt"
  local space = { depth = ex.int(1, 3), kind = ex.choice { "a", "b" } }
  for _, given in ipairs { {}, { lag = 1 }, { lag = 3 }, { startup = 3 } } do
    local worker, it, done = idle_worker { sampler = ex.sampler.tpe { startup = given.startup }, space = space, lag = given.lag, most = 40 }
    without_runs(worker, it)
    local ok, outcome = pcall(worker.run, worker)
    local keys, count = {}, 0
    for _, trial in ipairs(it.store:trials(it.id)) do
      local key = trial.params.depth .. trial.params.kind
      if not keys[key] then keys[key], count = true, count + 1 end
    end
    done()
    lu.assertTrue(ok, outcome)
    lu.assertEquals({ outcome, count }, { "done", 6 })
  end
end

-- A trial that another was to choose a point for and withdrew is in no later answer of the store: it is not waited for.
function TestWorker.test_a_trial_that_another_withdrew_holds_up_nothing()
  local ex = require "exeunt"
  local worker, it, done = idle_worker { sampler = "random", most = 1 }
  without_runs(worker, it)
  worker.study.stop = ex.stopper.asha { reduction = 2, first = 1 }
  local promoted = 0
  function worker.study.stop.promote(_, trials, _, over)
    if over and trials[1].state == "paused" then
      promoted = promoted + 1
      return 0
    end
  end
  local paused, second = it.store:claim(it.id, { worker = "v" }), it.store:claim(it.id, { worker = "v" })
  it.store:propose(paused, { x = 0 })
  it.store:finish(paused, { state = "paused" })
  worker:refresh()                          -- it has seen the second running
  it.store:withdraw(second)
  local ok, outcome = pcall(worker.run, worker)
  local trials = it.store:trials(it.id)
  done()
  lu.assertTrue(ok, outcome)
  lu.assertEquals({ outcome, promoted, #trials, trials[1].state }, { "done", 1, 1, "complete" })
end

function TestWorker:test_a_finite_space_ends_with_several_workers()
  local trials = self:search('sampler = ex.sampler.tpe { startup = 3 }, trials = 20', '{ x = ex.int(1, 2), kind = ex.choice { "a", "b" } }',
                             "--workers 2")
  local withdrawn = select(2, file.read(self.path .. "/runs/studies.db.jsonl"):gsub('"event": "withdraw"', ""))
  lu.assertEquals(#trials, 4)
  lu.assertTrue(withdrawn >= 1 and withdrawn <= 10, withdrawn)
end

local FAILS = 'trials = %d, sampler = "random", fixed = { fault = "error" }'

-- Trials that all fail alike end the search, which goes on once the recipe is put right.
function TestWorker:test_trials_that_all_fail_alike()
  search.study(self.path, FAILS:format(12))
  local code, out, err = search.run(self.path)
  lu.assertEquals({ code, out }, { 1, "" })
  lu.assertStrMatches(err, ".*\nexeunt: study study: 5 trials failed with the same error, and none has ended well: bowl.lua:7: a fault "
    .. "of the recipe %(runs/study/0004.err holds all that it said%); put it right in bowl.lua or study.lua and give the same command "
    .. "again: it goes on\n")
  lu.assertEquals(picked(search.trials(self.path), "state"), { "failed", "failed", "failed", "failed", "running" })
  search.run(self.path)                     -- the same again: so many more
  lu.assertEquals(#search.trials(self.path), 9)
  file.write(self.path .. "/bowl.lua", (search.RECIPE:gsub('error "a fault of the recipe"', "print()")))
  local trials = self:search(FAILS:format(12))
  lu.assertStrContains(self.err, "study study: goes on with the recipe changed\n")
  lu.assertEquals({ #trials, trials[8].state, trials[9].state, trials[12].state }, { 12, "failed", "complete", "complete" })
end

-- ... in a small budget all of it; the last stays open, also where nothing was put right.
function TestWorker:test_a_small_budget_whose_trials_all_fail()
  search.study(self.path, FAILS:format(2))
  for _ = 1, 2 do
    local code, _, err = search.run(self.path)
    lu.assertEquals(code, 1)
    lu.assertStrContains(err, "2 trials failed with the same error, and none has ended well")
    lu.assertEquals(picked(search.trials(self.path), "state"), { "failed", "running" })
  end
end

-- Other errors, NaN, or a trial that has ended well: the search goes on.
function TestWorker:test_trials_that_fail_in_their_own_ways()
  search.study(self.path, 'sampler = "random", trials = 6, fixed = { fault = "nan" }')
  lu.assertEquals((search.run(self.path)), 1)
  lu.assertEquals(#search.trials(self.path), 6)
  search.study(self.path, 'name = "other", sampler = "grid", points = { { fault = "", y = 1 } }', '{ y = ex.int(1, 6), fault = ex.choice '
    .. '{ "error", "" } }')
  lu.assertEquals((search.run(self.path)), 0)
  lu.assertEquals(#search.trials(self.path, "other"), 13)
end

-- Another has claimed the trial after one that was withdrawn: what comes after the hole is seen all the same.
function TestWorker.test_a_withdrawn_trial_hides_no_others()
  local seen
  local worker, it, done = idle_worker { sampler = function(ask)
    seen = #ask.trials
    return ask.number ~= 1 and { x = ask.number } or nil
  end }
  local first, second = it.store:claim(it.id, { worker = "v" }), worker.store:claim(it.id, { worker = "w" })
  it.store:propose(first, { x = 1 })
  for number = 2, 3 do
    local trial = it.store:claim(it.id, { worker = "v" })
    it.store:propose(trial, { x = number })
    it.store:finish(trial, { state = "complete", values = { number }, seconds = 10 })
  end
  it.store:finish(first, { state = "complete", values = { 1 }, seconds = 10 })
  worker:refresh()
  local given = worker:propose(second)
  local fresh = require("exeunt.search.worker").new { store = it.store, id = it.id, study = worker.study, name = "x" }
  fresh:refresh()
  local found = {}
  for i, each in ipairs { worker, fresh } do
    each.study.seconds = 30
    found[i] = { #each.trials, each.trials[2].state, each.trials[4].state, each:spent() }
    each.study.seconds = nil
  end
  local trial = fresh:claim()
  local child, waits = require "exeunt.child", 0
  local sleep = child.sleep
  child.sleep = function(...)
    waits = waits + 1
    return sleep(...)
  end
  fresh:propose(trial)
  child.sleep = sleep
  done()
  lu.assertFalse(given)
  lu.assertEquals(found, { { 4, "failed", "complete", true }, { 4, "failed", "complete", true } })
  lu.assertEquals({ trial.number, seen }, { 4, 3 })
  lu.assertEquals(waits, 0)                          -- for the point of a trial that was withdrawn
end

-- The lease runs from the claim on: where the point took long to choose, the first look renews it.
function TestWorker.test_the_lease_runs_while_the_point_is_chosen()
  local core, attempt = require "exeunt.core", require "exeunt.search.attempt"
  local worker, it, done = idle_worker { lease = 0.03, most = 1, sampler = function()
    local began = core.C.ex_clock()
    while core.C.ex_clock() - began < 0.02 do end
    return { x = 1 }
  end }
  local run, renew, renewed = attempt.run, it.store.renew, 0
  attempt.run = function(o)
    o.look()
    return { state = "complete", values = { 1 }, seconds = 0 }
  end
  it.store.renew = function(...)
    renewed = renewed + 1
    return renew(...)
  end
  local ok, outcome = pcall(worker.run, worker)
  attempt.run = run
  local state = it.store:trials(it.id)[1].state
  done()
  lu.assertEquals({ ok, outcome, renewed, state }, { true, "done", 1, "complete" })
end

function TestWorker:test_a_sampler_that_fails_is_said_and_loses_nothing()
  search.study(self.path, "trials = 3, sampler = function(ask) return { x = 10 * ask.number } end")
  local code, _, err = search.run(self.path)
  lu.assertEquals(code, 1)
  lu.assertStrContains(err, "sampler function: knob x must be a number from -2 to 2, got 10")
  lu.assertEquals(picked(search.trials(self.path), "state"), { "complete" })
  local trials = self:search "trials = 3, sampler = function(ask) return { x = 0.1 * ask.number } end"
  lu.assertEquals(picked(trials, "state"), { "complete", "complete", "complete" })
  lu.assertEquals(picked(trials, "attempts"), { 1, 1, 1 })
end

function TestWorker:test_constraints_and_the_best()
  search.study(self.path, 'sampler = "grid", constraints = { "size >= 1" }', "{ x = ex.choice { 0, 1, 2 } }")
  local code, out, err = search.run(self.path, "--json")
  lu.assertEquals(code, 0, err)
  lu.assertEquals(picked(search.trials(self.path), "constraints"), { { 1 }, { 0 }, { -1 } })
  local doc = json.decode(out)
  lu.assertEquals({ doc.study, doc.trials, doc.complete }, { "study", 3, 3 })
  lu.assertEquals({ #doc.best, doc.best[1].number, doc.best[1].values }, { 1, 1, { 1 } })
end

-- -- Budgets -------------------------------------------------------------------------------------------------------------

function TestWorker:test_a_budget_of_epochs()
  lu.assertEquals(#self:search 'sampler = "random", epochs = 7, fixed = { steps = 3 }', 3)
end

function TestWorker:test_a_budget_of_seconds()
  local trials = self:search 'sampler = "random", seconds = 0.001, trials = 50'
  lu.assertEquals(#trials, 1)
end

function TestWorker:test_more_trials_are_asked_for_on_the_command_line()
  lu.assertEquals(#self:search('sampler = "random", trials = 2', nil, "--trials 1"), 1)
  lu.assertEquals(#self:search('sampler = "random", trials = 2'), 2)
end

-- -- The same again ---------------------------------------------------------------------------------------------------------

-- Params and values of a study that is searched in a folder of its own.
local function record(text, arguments)
  local path = search.place()
  search.study(path, text)
  local code, _, err = search.run(path, arguments)
  lu.assertEquals(code, 0, err)
  local list = {}
  for i, trial in ipairs(search.trials(path)) do list[i] = { trial.number, trial.params, trial.values } end
  search.remove(path)
  return list
end

function TestWorker.test_with_a_lag_two_workers_try_what_one_tries()
  local text = 'sampler = ex.sampler.tpe { startup = 2 }, lag = 2, trials = 8'
  local one, two = record(text), record(text, "--workers 2")
  lu.assertEquals(#one, 8)
  lu.assertEquals(two, one)
end

-- What each trial saw is in the record: asked again, the sampler says the same.
function TestWorker:test_without_a_lag_the_record_replays()
  local trials = self:search('sampler = ex.sampler.tpe { startup = 2 }, trials = 8', nil, "--workers 2")
  local Worker = require "exeunt.search.worker"
  local study = require("exeunt.search.study").load(self.path .. "/study.lua")
  local replay = Worker.new { store = {}, id = 1, study = study, name = "replay" }
  replay.trials = trials
  for _, trial in ipairs(trials) do
    lu.assertEquals(replay:suggest { number = trial.number, seen = trial.seen }, trial.params, "trial " .. trial.number)
  end
end

-- -- Stoppers ----------------------------------------------------------------------------------------------------------------

function TestWorker:test_a_stopped_trial_ends_at_its_step()
  local trials = self:search('sampler = "grid", fixed = { steps = 8 }, stop = { asha = { reduction = 2, first = 2 } }',
                             "{ x = ex.choice { 0, 2, 1 } }")
  lu.assertEquals(picked(trials, "state"), { "complete", "stopped", "stopped" })
  lu.assertEquals(trials[2].steps, { { 1, 5 }, { 2, 4.5 } })
  lu.assertEquals(trials[2].values, { 4.5 })
end

function TestWorker:test_a_paused_trial_goes_on_from_its_checkpoint()
  local trials = self:search('sampler = "grid", fixed = { steps = 4 }, stop = { asha = { reduction = 2, most = 4, promote = true } }',
                             "{ x = ex.choice { 2, 0, 1, -1 } }")
  lu.assertEquals(trials[2].state, "complete")          -- the best was promoted to the end
  lu.assertEquals(picked(trials[2].steps, 1), { 1, 2, 3, 4 })
  lu.assertEquals({ trials[1].state, #trials[1].steps }, { "paused", 1 })
  lu.assertStrContains(self.out, "paused")
end

function TestWorker:test_a_stopper_that_sees_nothing_ends_the_search()
  search.study(self.path, 'sampler = "grid", stop = "median", watch = "loos"', "{ x = ex.choice { 0, 2 } }")
  local code, _, err = search.run(self.path)
  lu.assertEquals(code, 1)
  lu.assertStrContains(err, "exeunt: study study: trial 0 has no loos in its log.jsonl, so that the stopper sees nothing; `watch` says "
    .. "what it looks at; did you mean 'loss'? put it right in study.lua and give the same command again")
  lu.assertEquals(picked(search.trials(self.path), "state"), { "complete" })
  local trials = self:search('sampler = "grid", stop = "median", watch = "loss"', "{ x = ex.choice { 0, 2 } }")
  lu.assertEquals(picked(trials, "state"), { "complete", "complete" })
  lu.assertEquals(#trials[2].steps, 3)
end

-- Without `most` nobody knows at first how long a trial is; in the end those that came to their end are complete.
function TestWorker:test_promotion_without_a_known_end()
  local trials = self:search('sampler = "grid", fixed = { steps = 4 }, stop = { asha = { reduction = 2, promote = true } }',
                             "{ x = ex.choice { 2, 0, 1, -1 } }")
  lu.assertEquals({ trials[2].state, trials[2].values, #trials[2].steps }, { "complete", { 0 }, 4 })
  for _, trial in ipairs(trials) do
    local last = trial.steps[#trial.steps][1]
    lu.assertEquals(trial.state, last == 4 and "complete" or "paused", "trial " .. trial.number)
  end
  lu.assertStrContains(self.out, "paused and not taken up again by the stopper: trials 0, 2 and 3\n")
end

-- Of too few trials for a promotion the best goes on all the same.
function TestWorker:test_one_trial_in_the_promotion_form_is_complete()
  local trials = self:search('sampler = "random", trials = 1, stop = { asha = { promote = true } }, fixed = { steps = 9 }')
  lu.assertEquals(picked(trials, "state"), { "complete" })
  lu.assertEquals(#trials[1].steps, 9)
end

function TestWorker:test_another_metric_than_the_objective_is_watched()
  local trials = self:search('sampler = "grid", constraints = { "size <= 9" }, watch = "step"', "{ x = ex.choice { 0 } }")
  lu.assertEquals(trials[1].steps, { { 1, 1 }, { 2, 2 }, { 3, 3 } })
end

-- Two stores that have a study of the same name, the same points and the same folder for runs: neither disturbs the other.
function TestWorker:test_two_stores_at_once()
  search.study(self.path, 'sampler = "grid", fixed = { steps = 20 }', "{ x = ex.choice { 0, 1, 2 } }")
  local others = { path = self.path .. "/other" }
  file.make_folder(others.path)
  local both = { search.begin(self.path, "--workers 2"), search.begin(others.path, nil,
                 "search ../study.lua --workers 2 --grace 1 --store runs/studies.db --runs ../runs") }
  for i, process in ipairs(both) do lu.assertEquals(process:wait(120), 0, i) end
  for _, process in ipairs(both) do process:free() end
  local folders = {}
  for _, path in ipairs { self.path, others.path } do
    local trials = search.trials(path)
    lu.assertEquals(picked(trials, "state"), { "complete", "complete", "complete" })
    lu.assertEquals(picked(trials, "attempts"), { 1, 1, 1 })
    folders[#folders + 1] = trials[1].run_dir:match "[^/]+/0000$"
  end
  table.sort(folders)
  lu.assertEquals(folders, { "study-2/0000", "study/0000" })
  lu.assertStrContains(file.read(self.path .. "/stderr") .. file.read(others.path .. "/stderr"), "has another study's runs; its own go to ")
end

-- A copy of a store has the same trials to run, with the same points, in the same folder.
function TestWorker:test_a_store_and_its_copy_at_once()
  search.study(self.path, 'sampler = "grid", fixed = { steps = 20 }', "{ x = ex.choice { 0, 1, 2, -1 } }")
  lu.assertEquals((search.run(self.path, "--trials 1")), 0)
  local other = self.path .. "/other"
  os.execute(("mkdir -p '%s/runs' && cp '%s/runs/studies.db'* '%s/runs/'"):format(other, self.path, other))
  local both = { search.begin(self.path, "--workers 2"), search.begin(other, nil,
                 "search ../study.lua --workers 2 --grace 1 --store runs/studies.db --runs ../runs") }
  for i, process in ipairs(both) do lu.assertEquals(process:wait(120), 0, i) end
  for _, process in ipairs(both) do process:free() end
  for _, path in ipairs { self.path, other } do
    local trials = search.trials(path)
    lu.assertEquals(picked(trials, "state"), { "complete", "complete", "complete", "complete" })
    lu.assertEquals(picked(trials, "values"), { { 0 }, { 1 }, { 4 }, { 1 } })
  end
end

-- -- Workers by themselves ---------------------------------------------------------------------------------------------------

function TestWorker:test_a_worker_joins_a_study_by_its_document()
  self:search('sampler = "random", trials = 3', nil, "--trials 1")
  file.write(self.path .. "/study.lua", "error 'is not needed'")
  local code, _, err = search.run(self.path, "", "worker runs/studies.db --lease 1")
  lu.assertEquals(code, 0, err)
  lu.assertStrContains(err, "trial 2: complete")
  lu.assertEquals(picked(search.trials(self.path), "state"), { "complete", "complete", "complete" })
end

function TestWorker:test_a_worker_that_cannot_join_says_why()
  self:search('sampler = "random", trials = 2', nil, "--trials 1")
  local function says(arguments, text)
    local code, _, err = search.run(self.path, "", "worker " .. arguments)
    lu.assertTrue(code > 0)
    lu.assertStrContains(err, text)
    lu.assertEquals(select(2, err:gsub("\n", "")), 1, err)
  end
  says("runs/studies.db stduy", "holds no study 'stduy'; did you mean 'study'?")
  file.write(self.path .. "/bowl.lua", search.RECIPE .. "-- edited\n")
  says("runs/studies.db study", "is not the recipe that the study was begun with")
  says("runs/none.db", "there is no store runs/none.db")
end

os.exit(lu.LuaUnit.run())
