-- supervisor.lua: the search that a person starts: worker processes on this machine, with its cores shared out among them, and the
-- view of what they do. It does none of the work, so that it can be killed at any instant: its workers then end their trials
-- with a checkpoint. A worker that is killed is started again; Ctrl-C ends all of them after a checkpoint.

local budget = require "exeunt.search.budget"
local child = require "exeunt.child"
local core = require "exeunt.core"
local file = require "exeunt.file"
local front = require "exeunt.search.front"
local json = require "exeunt.report.json"
local options = require "exeunt.options"
local place = require "exeunt.search.place"
local signals = require "exeunt.signals"
local studies = require "exeunt.search.study"
local system = require "exeunt.system"
local view = require "exeunt.search.view"
local Waiting = require "exeunt.search.waiting"

local supervisor = {}

local LOOK = 0.2                            -- seconds between two looks
local RESTARTS = 20                         -- of killed workers, in all
local PATIENCE = 2                          -- seconds beyond the grace, which a worker's own run has, until a worker is killed

-- Puts a study right in the store where that is safe (study.mended); false where it is not; and whether it has trials.
local function mend(store, before, document)
  local trials, counter
  repeat
    trials, counter = store:trials(before.id)
    local doc = studies.mended(before.document, document, trials)
    if not doc then return false end
  until store:amend(before.id, counter, doc)
  return true, #trials > 0
end

-- join(store, study, changed): the study's id in the store, where it is made if need be; whether its recipe has changed; what was put
-- right, in words. One that is there with another space or objective is refused; one whose recipe has changed too, unless `changed`.
-- Its limits (trials, seconds, ...) become those of `study`.
function supervisor.join(store, study, changed)
  local document = study:document()
  local before = store:study(study.name)
  if not before then
    local ok, made = pcall(store.create, store, study.name, document)
    if ok then return made end
    before = store:study(study.name) or error(made, 0)          -- another search was first
  end
  local differing, edited = studies.changes(before.document, document)
  local words = table.concat(differing, ", ")
  local mended, with_trials
  if #differing > 0 or edited then mended, with_trials = mend(store, before, document) end
  local was_edited = edited
  edited = edited and store:study(study.name).document.recipe_sha256 ~= document.recipe_sha256
  if #differing > 0 and not mended then
    core.raise("study %s was begun with something else: %s; put it back, give the study another name (name = \"...\"), or take the old "
               .. "one away (exeunt study delete %s)", study.name, words, study.name)
  end
  if edited and not changed then
    core.raise("study %s: its recipe %s has changed since it was begun; put it back, give the study another name, or go on with --changed",
               study.name, study.recipe)
  end
  store:limit(before.id, document)
  if was_edited and not edited and with_trials then words = words .. (words == "" and "" or ", ") .. "the recipe" end
  return before.id, edited, mended and words ~= "" and words or nil
end

-- -- The workers -------------------------------------------------------------------------------------------------------------

local Search = {}
Search.__index = Search

function Search:start(slot)
  local err = ("%s/worker-%d.err"):format(self.folder, slot)
  local argv = { system.program, "worker", self.address, self.study.name, "--slot", tostring(slot), "--threads",
                 tostring(math.max(1, math.floor(self.threads / self.workers))), "--lease", tostring(self.lease),
                 "--grace", tostring(self.grace), "--runs", self.runs }
  for _, text in ipairs(self.study.file and { "--file", self.study.file } or {}) do argv[#argv + 1] = text end
  for _, text in ipairs(self.given_trials and { "--trials", tostring(self.given_trials) } or {}) do argv[#argv + 1] = text end
  if self.changed then argv[#argv + 1] = "--changed" end
  self.running[slot] = { process = child.start { argv = argv, err = err, death = "TERM" }, err = err }
end

local function last_line(path)
  local last
  for line in file.read(path):gmatch "[^\n]+" do last = line end
  return last and last:gsub("^.-exeunt: ", "") or "it said nothing"      -- what a sampler wrote may be before that
end

-- Asks all workers to end, and notes until when they may take.
function Search:end_workers()
  self.deadline = self.deadline or core.C.ex_clock() + self.grace + PATIENCE
  for _, worker in pairs(self.running) do worker.process:signal "TERM" end
end

-- Kills the workers that were asked to end and did not, as where a sampler never comes to its end.
function Search:kill_late()
  if not self.deadline or core.C.ex_clock() < self.deadline then return end
  self.deadline = math.huge
  for slot, worker in pairs(self.running) do
    self.view:say(("worker %d did not end within the grace of %g s: it is killed"):format(slot, self.grace))
    worker.process:signal "KILL"
  end
end

-- Whether a running trial is one of this search's workers'.
function Search:is_mine(trial)
  local slot, pid = tostring(trial.worker):match "^worker (%d+) .*:(%d+)$"
  local worker = self.running[tonumber(slot)]
  return worker ~= nil and worker.process.pid == tonumber(pid)
end

-- A worker has ended: why, and whether another takes its place.
function Search:ended(slot, code)
  local worker = self.running[slot]
  self.running[slot] = nil
  worker.process:free()
  if code == 0 or self.stopping or self.wrong then return end
  if code == 2 then                         -- the study asks for what is not there: the others would find that too
    self.problem, self.wrong = last_line(worker.err), true
    return self:end_workers()
  end
  if code > 128 and self.restarts < RESTARTS then
    self.restarts = self.restarts + 1
    self.view:say(("worker %d was killed by signal %d; another takes its place"):format(slot, code - 128))
    return self:start(slot)
  end
  self.problem = ("worker %d: %s"):format(slot, last_line(worker.err))
  if next(self.running) then self.view:say(self.problem) end       -- or it is said as the search's end
end

-- Waits a little; sees which workers have ended. True while any runs.
function Search:watch()
  local waited = false
  for slot = 1, self.workers do
    local worker = self.running[slot]
    if worker then
      local code = worker.process:wait(waited and 0 or LOOK)
      waited = true
      if code then self:ended(slot, code) end
    end
  end
  return next(self.running) ~= nil
end

-- Takes in what has changed in the store; `anew`: all that is there, without what workers have withdrawn.
function Search:refresh(anew)
  if anew then self.trials, self.place, self.counter = {}, {}, nil end
  local list, counter = self.store:trials(self.id, self.counter)
  for _, trial in ipairs(list) do
    local at = self.place[trial.number] or #self.trials + 1             -- a number may be missing: it was withdrawn
    self.trials[at], self.place[trial.number] = trial, at
  end
  self.counter = counter
  self.view:update(self.trials)
end

function Search:stop()
  if self.stopping then return end
  self.stopping = true
  self.view.lines = 0                       -- the signal's own message stands below the block
  self.view:say "ending the trials with a checkpoint ..."
  self:end_workers()
end

-- All trials' states and attempts: where nobody began a trial or took one up again they are what they were.
local function claimed(trials)
  local list = {}
  for i, trial in ipairs(trials) do list[i] = trial.state .. " " .. trial.attempts end
  return table.concat(list, ",")
end

-- run{ study, store, address, workers = 1, threads = CPUs, runs = "runs", lease = 30, grace = 10, trials = as --trials said, changed }:
-- searches until the study has no more to do; gives { trials, seconds, stopped = the signal's name or nil, idle = nothing was left }.
function supervisor.run(given)
  local o = options.check("search", given, { study = options.required, store = options.required, address = options.required,
    workers = 1, threads = core.C.ex_cpu_count(), runs = "runs", lease = 30, grace = 10, trials = options.optional, changed = false })
  local self = setmetatable(o, Search)
  self.given_trials, self.running, self.restarts = o.trials, {}, 0
  local edited, mended
  self.id, edited, mended = supervisor.join(self.store, self.study, self.changed)
  if self.given_trials then self.study.trials = self.given_trials end
  self.view = view.new { study = self.study, most = self.study:most(), workers = self.workers }
  if mended then self.view:say(("study %s: goes on with %s changed"):format(self.study.name, mended)) end
  if edited then self.view:say(("study %s: goes on with a changed recipe"):format(self.study.name)) end
  local shifted
  self.folder, shifted = place.folder(self.runs, self.store, self.id)
  if shifted then
    self.view:say(("study %s: %s/%s has another study's runs; its own go to %s"):format(self.study.name, self.runs, self.study.name,
                                                                                   self.folder))
  end
  local begun = core.C.ex_clock()
  self:refresh(true)
  local before = claimed(self.trials)
  for slot = 1, self.workers do self:start(slot) end
  local waiting = Waiting.new(self.study.name, function(trial) return self:is_mine(trial) end)
  while self:watch() do
    self:refresh()
    if signals.requested() then self:stop() end
    self:kill_late()
    local text = waiting:look(self.trials)
    if text and not self.deadline then self.view:say(text) end
  end
  self:refresh(true)
  self.view:finish(self.trials)
  if self.problem and not self.stopping then core.raise("%s", self.problem) end
  return { trials = self.trials, seconds = core.C.ex_clock() - begun, stopped = self.stopping and signals.requested() or nil,
           idle = claimed(self.trials) == before }
end

-- -- What came of it ----------------------------------------------------------------------------------------------------------------

local function entry(trial)
  return { number = trial.number, params = trial.params, values = json.list { unpack(trial.values) }, run_dir = trial.run_dir }
end

-- document(study, found, name): the search's result for --json; name: the store's.
function supervisor.document(study, found, name)
  local counted = view.count(found.trials)
  local doc = { study = study.name, store = name, trials = #found.trials, complete = counted.complete, stopped = counted.stopped,
                paused = counted.paused, failed = counted.failed, running = counted.running, seconds = found.seconds, best = json.list() }
  for i, trial in ipairs(front.of(found.trials, study.directions)) do doc.best[i] = entry(trial) end
  return doc
end

supervisor.order = { "study", "store", "trials", "complete", "stopped", "paused", "failed", "running", "seconds", "best", "number",
                     "values" }

-- "paused and not taken up again by the stopper: trials 0, 2 and 5": what is left of a study that has ended; nil where nothing is.
local function paused_text(trials)
  local numbers = {}
  for _, trial in ipairs(trials) do
    if trial.state == "paused" then numbers[#numbers + 1] = tostring(trial.number) end
  end
  if #numbers == 0 then return nil end
  local last = table.remove(numbers)
  if #numbers == 0 then return ("paused and not taken up again by the stopper: trial %s"):format(last) end
  return ("paused and not taken up again by the stopper: trials %s and %s"):format(table.concat(numbers, ", "), last)
end

-- Why a search has ended that did nothing, or that has not used its budget up; nil where it has.
local function end_text(study, found)
  if found.idle then return "nothing was left to do: " .. budget.ended(study, found.trials) end
  local short = budget.short(study, found.trials)
  return short and "ended before its budget: " .. short
end

-- text(study, found): the same for a person.
function supervisor.text(study, found)
  local progress, shown = require "exeunt.report.progress", require("exeunt.search.worker").shown
  local lines = { ("study %s: %d trial%s in %s (%s)"):format(study.name, #found.trials, #found.trials == 1 and "" or "s",
                   progress.duration(found.seconds), view.states_text(view.count(found.trials), found.stopped and "in the middle")) }
  local best = front.of(found.trials, study.directions)
  if #best == 0 then
    lines[2] = #study.constraints > 0 and "no complete trial keeps the constraints" or "no trial is complete"
  elseif #study.directions == 1 then
    lines[2] = ("best: trial %d, %s"):format(best[1].number, view.values_text(study, best[1]))
    lines[3] = "  " .. shown(best[1].params)
    lines[4] = "  " .. tostring(best[1].run_dir)
    lines[5] = "  again: " .. require("exeunt.search.again").command(study, best[1].params)
  else
    lines[2] = ("%d trial%s that no other beats in everything:"):format(#best, #best == 1 and "" or "s")
    for _, trial in ipairs(best) do
      lines[#lines + 1] = ("  trial %d  %s  %s"):format(trial.number, view.values_text(study, trial), shown(trial.params))
    end
  end
  if not found.stopped then
    lines[#lines + 1] = paused_text(found.trials)
    lines[#lines + 1] = end_text(study, found)
  end
  return table.concat(lines, "\n") .. "\n"
end

return supervisor
