-- What a search survives: its processes killed at random instants, recipes that go wrong or change, two searches at once. After
-- each of them every trial that had finished is there unchanged, none is there twice, and the study ends complete.
-- EXEUNT_INSTANTS: how many instants (10; the full form is 100). EXEUNT_FAULT_SEED: which.

local lu = require "luaunit"
local child = require "exeunt.child"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local search = dofile "tests/support/search.lua"

local SHORT = "--workers 2 --lease 0.5"    -- seconds after which a dead worker's trial is another's
local INSTANTS = tonumber(os.getenv "EXEUNT_INSTANTS" or "10")

TestFaults = {}

function TestFaults:setUp() self.path = search.place() end
function TestFaults:tearDown() search.remove(self.path) end

-- -- Killed at random instants ----------------------------------------------------------------------------------------

local over = { complete = true, stopped = true, failed = true }

-- What must never change again of the finished trials, by number.
local function finished(path)
  local found = {}
  for _, trial in ipairs(search.trials(path)) do
    if over[trial.state] then found[trial.number] = json.encode { trial.state, trial.params, trial.values or {}, trial.finish } end
  end
  return found
end

local function assert_kept(before, path)
  local now = finished(path)
  for number, text in pairs(before) do lu.assertEquals(now[number], text, "trial " .. number) end
  return now
end

-- The processes whose parent is `pid`.
local function children(pid)
  local list, task = {}, io.open(("/proc/%d/task/%d/children"):format(pid, pid))
  if not task then return list end
  for number in (task:read "*a"):gmatch "%d+" do list[#list + 1] = tonumber(number) end
  task:close()
  return list
end

local function kill(pid) os.execute(("kill -9 %d 2>/dev/null"):format(pid)) end

-- Whether a process still does something: one that has ended is there (Z) until the machine's first process looks after it.
local function alive(pid)
  local stat = io.open(("/proc/%d/stat"):format(pid))
  if not stat then return false end
  local state = (stat:read "*a" or ""):match "%) (%a)"
  stat:close()
  return state ~= nil and state ~= "Z" and state ~= "X"
end

-- Waits until none of these processes runs.
local function settle(pids)
  for _ = 1, 1000 do
    local any = false
    for _, pid in ipairs(pids) do any = any or alive(pid) end
    if not any then return end
    child.sleep(0.01)
  end
end

-- Numbers 0, 1, ... without a gap, finish orders 1, 2, ..., and points that a whole search would have tried: expected(path, number).
local function assert_whole(path, count, expected)
  local trials, orders = search.trials(path), {}
  lu.assertEquals(#trials, count)
  for i, trial in ipairs(trials) do
    lu.assertEquals(trial.number, i - 1)
    lu.assertEquals({ trial.number, trial.state, trial.error }, { i - 1, "complete", nil })
    orders[#orders + 1] = trial.finish
    if expected then lu.assertEquals({ trial.params, trial.values }, { expected(path, i - 1) }) end
  end
  table.sort(orders)
  for i, order in ipairs(orders) do lu.assertEquals(order, i) end
end

-- Kills something of a running search: the search alone (its workers then end their trials), one worker and then the search, or
-- all of it at once, as when a machine fails. Returns when all of it is gone.
local function strike(run, instant)
  local workers = children(run.pid)
  if instant % 3 == 0 and #workers > 0 then
    kill(workers[math.random(#workers)])
    run:wait(math.random() * 0.3)
    workers = children(run.pid)
  end
  if instant % 3 == 1 then
    kill(run.pid)
    for _, pid in ipairs(workers) do kill(pid) end
  end
  kill(run.pid)
  settle(workers)
  run:free()
end

-- What trial `number` of the bowl's random search is, whoever runs it and whenever.
local function left_alone(path, number)
  local study = require("exeunt.search.study").load(path .. "/study.lua")
  local params = study.sampler:suggest { space = study.space, seed = study.seed, number = number, trials = {} }
  return params, { params.x ^ 2 }
end

-- A search that is killed INSTANTS times, each time with new trials to do, tries the points of one that is left alone, each once.
function TestFaults:test_killed_at_random_instants()
  local function budget(instant) return ('sampler = "random", trials = %d, retries = 1000'):format(3 * instant) end
  math.randomseed(tonumber(os.getenv "EXEUNT_FAULT_SEED" or "7"))
  local before, in_the_middle = {}, 0
  for instant = 1, INSTANTS do
    search.study(self.path, budget(instant))
    local run = search.begin(self.path, SHORT)
    run:wait(0.05 + math.random() * 0.5)
    strike(run, instant)
    before = assert_kept(before, self.path)
    for _, trial in ipairs(search.trials(self.path)) do in_the_middle = in_the_middle + (over[trial.state] and 0 or 1) end
  end
  io.stderr:write(("# %d instants, trials found in the middle: %d\n"):format(INSTANTS, in_the_middle))
  local code, _, err = search.run(self.path, SHORT)
  lu.assertEquals(code, 0, err)
  assert_kept(before, self.path)
  assert_whole(self.path, 3 * INSTANTS, left_alone)
end

function TestFaults:test_ended_by_a_signal_it_goes_on()
  search.study(self.path, 'sampler = "random", trials = 4, fixed = { steps = 20 }')
  local run = search.begin(self.path, "--workers 2")
  while #search.trials(self.path) == 0 do child.sleep(0.05) end
  run:signal "TERM"
  lu.assertEquals(run:wait(60), 143)
  run:free()
  lu.assertStrContains(file.read(self.path .. "/stderr"), "the same command goes on")
  lu.assertEquals((search.run(self.path, "--workers 2")), 0)
  assert_whole(self.path, 4)
  for _, trial in ipairs(search.trials(self.path)) do lu.assertEquals(trial.attempts, 1) end
end

-- -- Recipes that go wrong -----------------------------------------------------------------------------------------------

-- The one trial of a study whose recipe has that fault.
function TestFaults:with_fault(fault, more)
  search.study(self.path, ('sampler = "random", trials = 1, fixed = { fault = "%s" }, %s'):format(fault, more or ""))
  local code, _, err = search.run(self.path)
  lu.assertEquals(code, 1, err)
  lu.assertStrContains(err, "every trial failed")
  local trials = search.trials(self.path)
  lu.assertEquals({ #trials, trials[1].state }, { 1, "failed" })
  return trials[1].error
end

function TestFaults:test_an_error() lu.assertStrContains(self:with_fault "error", "a fault of the recipe") end
function TestFaults:test_a_kill() lu.assertStrContains(self:with_fault "kill", "killed by signal 9") end
function TestFaults:test_nan() lu.assertEquals(self:with_fault "nan", "its result has loss = NaN") end

function TestFaults:test_a_recipe_that_hangs()
  lu.assertStrContains(self:with_fault("hang", "trial_seconds = 0.5"), "longer than trial_seconds = 0.5: SIGTERM ")
end

-- Where no trial has had the metric, the study is at fault: the search ends, and goes on with the study put right; what was trained
-- is not trained again.
function TestFaults:test_a_metric_that_no_result_has()
  search.study(self.path, 'sampler = "random", trials = 5, constraints = { "sise <= 9" }')
  local code, out, err = search.run(self.path, "--workers 2")
  lu.assertEquals({ code, out }, { 1, "" })
  lu.assertStrMatches(err, "exeunt: study study: trial [01]: its result has no sise; did you mean 'size'%? put it right in study.lua and "
    .. "give the same command again: it goes on, and what has been trained counts\n")
  local trials = search.trials(self.path)
  lu.assertTrue(#trials <= 2)
  for _, trial in ipairs(trials) do lu.assertEquals(trial.state, "running") end
  lu.assertEquals((search.run(self.path, "--workers 1")), 1)                    -- the same again; a second worker might claim one more
  lu.assertEquals(#search.trials(self.path), #trials)
  local trained = file.read(self.path .. "/runs/study/0000/log.jsonl")
  file.write(self.path .. "/runs/study/0000/log.jsonl", trained .. "\n")       -- a mark that training anew would take away
  search.study(self.path, 'sampler = "random", trials = 5, constraints = { "size <= 9" }')
  code, out, err = search.run(self.path, "--workers 2")
  lu.assertEquals(code, 0, err)
  lu.assertStrContains(out, "5 complete")
  lu.assertStrContains(err, "study study: goes on with the constraints (were sise <= 9, are size <= 9) changed\n")
  assert_whole(self.path, 5)
  lu.assertEquals(file.read(self.path .. "/runs/study/0000/log.jsonl"), trained .. "\n")
end

-- Where others have had it, it costs the trial.
function TestFaults:test_a_result_without_the_metric_after_others()
  search.study(self.path, 'sampler = "grid"', '{ fault = ex.choice { "", "none" }, x = ex.choice { 1, 2 } }')
  local code, out, err = search.run(self.path)
  lu.assertEquals(code, 0, err)
  lu.assertStrContains(out, "2 complete, 2 failed")
  for _, trial in ipairs(search.trials(self.path)) do
    lu.assertEquals(trial.error, trial.params.fault == "none" and "its result has no loss; it has other" or nil)
  end
end

function TestFaults:test_a_fault_costs_one_trial()
  search.study(self.path, "sampler = ex.sampler.grid()", '{ fault = ex.choice { "", "error", "kill" } }')
  local code, out, err = search.run(self.path)
  lu.assertEquals(code, 0, err)
  lu.assertStrContains(out, "1 complete, 2 failed")
  local states = {}
  for i, trial in ipairs(search.trials(self.path)) do states[i] = trial.state end
  table.sort(states)
  lu.assertEquals(states, { "complete", "failed", "failed" })
end

-- -- Changes and company ----------------------------------------------------------------------------------------------------

function TestFaults:test_a_recipe_edited_between_two_runs()
  search.study(self.path, 'sampler = "random", trials = 2')
  lu.assertEquals((search.run(self.path)), 0)
  search.study(self.path, 'sampler = "random", trials = 3')
  file.write(self.path .. "/bowl.lua", search.RECIPE .. "-- edited\n")
  local code, _, err = search.run(self.path)
  lu.assertEquals(code, 1)
  lu.assertStrContains(err, "its recipe bowl.lua has changed since it was begun")
  lu.assertEquals(#search.trials(self.path), 2)
  code, _, err = search.run(self.path, "--changed")
  lu.assertEquals(code, 0, err)
  lu.assertStrContains(err, "goes on with a changed recipe")
  local trials = search.trials(self.path)
  lu.assertEquals(#trials, 3)
  lu.assertNotEquals(trials[3].attributes.recipe_sha256, trials[1].attributes.recipe_sha256)
end

function TestFaults:test_a_study_changed_between_two_runs()
  search.study(self.path, 'sampler = "random", trials = 1')
  lu.assertEquals((search.run(self.path)), 0)
  search.study(self.path, 'sampler = "random", trials = 1', "{ x = ex.uniform(-3, 2) }")
  local code, _, err = search.run(self.path)
  lu.assertEquals(code, 1)
  lu.assertStrContains(err, "was begun with something else: the space")
end

function TestFaults:test_two_searches_share_a_study()
  search.study(self.path, 'sampler = "random", trials = 8')
  local first = search.begin(self.path)
  local code, _, err = search.run(self.path)
  lu.assertEquals(code, 0, err)
  lu.assertEquals(first:wait(60), 0)
  first:free()
  assert_whole(self.path, 8)
end

os.exit(lu.LuaUnit.run())
