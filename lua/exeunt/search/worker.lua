-- worker.lua: the loop that a search consists of: claim a trial, suggest its point, run it (attempt.lua), keep what came of it,
-- until there is nothing more to do. Any number of workers share a study through its store; none knows of the others. All that
-- it holds can be lost: what it had claimed is taken up by another when the lease runs out, from the run's last checkpoint.
--
-- What a sampler sees for trial n: with `lag = L` the trials up to n - L, all finished (n is not claimed before); otherwise those
-- that had finished when n was claimed (its `seen`), and those of a lower number as running. So the same record gives the same
-- point, whenever it is asked.

local attempt = require "exeunt.search.attempt"
local budget = require "exeunt.search.budget"
local child = require "exeunt.child"
local core = require "exeunt.core"
local json = require "exeunt.report.json"
local options = require "exeunt.options"
local place = require "exeunt.search.place"
local signals = require "exeunt.signals"
local Waiting = require "exeunt.search.waiting"

local Worker = {}
Worker.__index = Worker

local IDLE = 0.2                            -- seconds between two looks for something to do
local FAILURES = 5                          -- trials that fail one like the other, none having ended well, end the search
local PATIENCE = 2                          -- seconds for which points that others are just choosing are waited for

-- new{ store, id (of the study there), study, name, runs = folder of the runs, threads, lease, grace (seconds), say = function(text) }
local function new(given)
  local o = options.check("worker", given, { store = options.required, id = options.required, study = options.required,
    name = options.required, runs = "runs", threads = options.optional, lease = 30, grace = 10, say = function() end })
  local self = setmetatable(o, Worker)
  self.trials, self.cache, self.finished = {}, {}, 0
  return self
end

-- -- What is known of the trials -------------------------------------------------------------------------------------------

local function is_running(trial) return trial.state == "running" end

-- What stands for the trial of a number that was withdrawn while later ones were there: it is over, and nothing came of it.
local function withdrawn(number) return { number = number, state = "failed", steps = {} } end

-- Takes in what has changed in the store.
function Worker:refresh()
  local list, counter = self.store:trials(self.id, self.counter)
  for _, trial in ipairs(list) do
    for number = #self.trials, trial.number - 1 do self.trials[number + 1] = withdrawn(number) end
    self.trials[trial.number + 1] = trial
  end
  self.counter = counter
end

local over = { complete = true, stopped = true, failed = true }

-- The number of the first trial that is not finished.
local function first_open(trials)
  for i, trial in ipairs(trials) do
    if not over[trial.state] then return i - 1 end
  end
  return #trials
end

-- Whether the budget of seconds or of epochs is used up.
function Worker:spent() return budget.spent(self.study, self.trials) ~= nil end

-- What a sampler may look at has changed where this number has: how many trials have a point, and how many have finished.
function Worker:mark()
  local mark = 0
  for _, trial in ipairs(self.trials) do mark = mark + (trial.params and 1 or 0) + (trial.finish and 1 or 0) end
  return mark
end

-- How many trials may have been begun by now; 0: no new one, since the sampler gave no point and would be asked the same again.
function Worker:limit()
  if self.dry and self.dry == self:mark() then return 0 end
  if self:spent() then return #self.trials end
  local limit = self.study:most()
  if self.study.lag then limit = math.min(limit, first_open(self.trials) + self.study.lag) end
  return limit
end

-- The number of the paused trial that the stopper wants to go on, or nil. limit: how many trials there may be.
function Worker:paused(limit)
  local stop, direction = self.study.stop, self.study.directions[1]
  if not stop then return nil end
  local number = stop:promote(self.trials, direction)
  if number or #self.trials < limit then return number end
  for _, trial in ipairs(self.trials) do
    if is_running(trial) then return nil end
  end
  return stop:promote(self.trials, direction, true)
end

-- -- The point ----------------------------------------------------------------------------------------------------------------

local function as_running(trial) return { number = trial.number, state = "running", params = trial.params } end

-- The trials that the sampler sees for this one.
function Worker:view(trial)
  local list = {}
  local lag = self.study.lag
  for _, other in ipairs(self.trials) do
    if other.number >= trial.number then break end
    if lag then
      if other.number <= trial.number - lag then list[#list + 1] = other end
    elseif other.params then
      list[#list + 1] = other.finish and other.finish <= trial.seen and other or as_running(other)
    end
  end
  return list
end

-- Waits a little for the points of the trials before this one, which others are choosing.
function Worker:await_points(trial)
  local until_then = core.C.ex_clock() + PATIENCE
  repeat
    self:refresh()
    local missing = false
    for i = 1, math.min(trial.number, #self.trials) do missing = missing or is_running(self.trials[i]) and not self.trials[i].params end
    if not missing then return end
    child.sleep(0.02)
  until core.C.ex_clock() > until_then
end

-- suggest(trial): a point, or nil where there are no more.
function Worker:suggest(trial)
  local study = self.study
  local point = study.points[trial.number + 1]
  if point then return json.plain(point) end
  local params = study.sampler:suggest {
    space = study.space, seed = study.seed, number = trial.number - #study.points, directions = study.directions,
    trials = study.sampler.independent and {} or self:view(trial), cache = self.cache,
  }
  if params == nil then return nil end
  local ok, why = pcall(study.space.check, study.space, params)
  if not ok then core.raise("sampler %s: %s", study.sampler.name, tostring(why)) end
  return params
end

-- Gives the claimed trial its point; false where there is none to give: no new trial is claimed then until another has got a point
-- or has finished.
function Worker:propose(trial)
  if not self.study.sampler.independent and not self.study.lag then self:await_points(trial) end
  local ok, params = pcall(self.suggest, self, trial)
  if not ok then
    local last = not self.trials[trial.number + 2]            -- whoever puts the sampler right begins it anew, or goes on with it
    self.store[last and "withdraw" or "release"](self.store, trial)
    error({ code = self.study.recipe and 2 or 1, message = ("study %s: no point for trial %d: %s"):format(self.study.name, trial.number,
      (type(params) == "table" and params.message or tostring(params)):gsub("%s*\n%s*", " ")) }, 0)
  end
  if params == nil then
    self.store:withdraw(trial)              -- the store says no more of it
    self.trials[trial.number + 1] = self.trials[trial.number + 2] and withdrawn(trial.number) or nil
    self.dry = self:mark()
    return false
  end
  self.store:propose(trial, params, self.study.space:key(params))
  trial.params = params
  return true
end

-- -- A trial ----------------------------------------------------------------------------------------------------------------------

-- Keeps a step, and says what the stopper makes of it: nil (go on), "stopped" or "paused".
function Worker:on_step(trial, step, value)
  local known = trial.steps[#trial.steps]
  if not known or known[1] < step then
    self.store:report(trial, step, value)
    trial.steps[#trial.steps + 1] = { step, value }
  end
  local stop = self.study.stop
  if not stop then return nil end
  self:refresh()
  self.trials[trial.number + 1] = trial
  local verdict = stop:decide { trial = trial, trials = self.trials, step = step, value = value, direction = self.study.directions[1] }
  if verdict == "go" and trial.step_limit and step >= trial.step_limit then verdict = "pause" end
  return verdict == "stop" and "stopped" or verdict == "pause" and "paused" or nil
end

-- Renews the lease in time; "interrupted" where this process is to end, "lost" where the trial is another worker's now.
function Worker:look(trial)
  local now = core.C.ex_clock()
  if now - self.renewed > self.lease / 3 then
    if not self.store:renew(trial, self.lease) then return "lost" end
    self.renewed = now
  end
  return signals.requested() and "interrupted" or nil
end

-- The step up to which the stopper has answered for a trial that is taken up again; nil: for none.
local function answered(trial, promoted)
  local n = #trial.steps
  if not promoted then n = n - 1 end        -- its worker died, perhaps before it had asked about the last
  return trial.steps[n] and trial.steps[n][1] or nil
end

local function kept(trial, outcome)
  local last = trial.steps[#trial.steps]
  local values = outcome.values
  if outcome.state == "stopped" and last then values = { last[2] } end
  return { state = outcome.state, values = values, constraints = outcome.constraints, error = outcome.error, seconds = outcome.seconds,
           run_dir = outcome.folder, attributes = { recipe_sha256 = outcome.digest } }
end

local function shown(params)
  local parts = {}
  for _, name in ipairs(options.sorted_keys(params)) do
    local x = params[name]
    parts[#parts + 1] = name .. "=" .. (type(x) == "number" and ("%.4g"):format(x) or json.encode(x):gsub('"', ""))
  end
  return table.concat(parts, " ")
end

-- An outcome's error, values or last step, for the line that says it.
local function what_came(trial, outcome)
  if outcome.error then return ": " .. outcome.error end
  local last, values = trial.steps[#trial.steps], {}
  if not outcome.values then return last and (" at step %d, %.6g"):format(last[1], last[2]) or "" end
  for i, x in ipairs(outcome.values) do values[i] = ("%.6g"):format(x) end
  return ", " .. table.concat(values, " ")
end

-- Whether some trial of the study has this.
function Worker:any(has)
  self:refresh()
  for _, trial in ipairs(self.trials) do
    if has(trial) then return true end
  end
  return false
end

local function is_complete(trial) return trial.state == "complete" end
local function has_steps(trial) return trial.steps and #trial.steps > 0 end

-- Ends this worker: the study asks for what the recipe does not give. Its exit code tells the search.
function Worker:wrong(trial, what)
  error({ code = 2, message = ("study %s: trial %d%s%s put it right in %s and give the same command again: it goes on, and what has been "
    .. "trained counts"):format(self.study.name, trial.number, what, what:sub(-1) == "?" and "" or ";", self.study.file or "its file") }, 0)
end

-- The first result without a number that the study asks for: a mistake of the study, not the trial's, so that the trial stays open for
-- who goes on with the study put right. Where others have had the number it is the trial that failed.
function Worker:check_result(trial, outcome)
  if not outcome.lacks or self:any(is_complete) then return end
  self.store:release(trial)
  self:wrong(trial, ": " .. outcome.error)
end

-- An error without its numbers, which may be the trial's own.
local function alike(text) return (tostring(text):gsub("%d[%w.+-]*", "#")) end

local well = { complete = true, stopped = true, paused = true }

-- How many trials have failed as this one did, it too: since this worker began, and in all; 0: since it began some failed otherwise, or
-- a trial of the study has ended well.
function Worker:failed_alike(outcome)
  local kind, count, all = alike(outcome.error), 1, 1
  for _, trial in ipairs(self.trials) do
    local same, now = trial.finish and alike(trial.error) == kind, trial.finish and trial.finish > self.finished
    if well[trial.state] or now and not same then return 0, 0 end
    count, all = count + (now and 1 or 0), all + (same and 1 or 0)
  end
  return count, all
end

-- Where trials fail one like the other and none has ended well, the fault is the recipe's or the study's, and the rest of the budget
-- would go the same way. This trial stays open for who goes on with it put right.
function Worker:check_failures(trial, outcome)
  if not outcome.fault then return end
  self:refresh()
  local count, all = self:failed_alike(outcome)
  if all < 2 or count < math.min(FAILURES, self.study:most() - self.finished) then return end
  self.store:release(trial)
  local text = "study %s: %d trials failed with the same error, and none has ended well: %s (%s.err holds all that it said); put it right "
    .. "in %s or %s and give the same command again: it goes on"
  error({ code = 2, message = text:format(self.study.name, all, outcome.error, outcome.folder, self.study.recipe,
                                          self.study.file or "the study's file") }, 0)
end

-- The same of a stopper that sees nothing; this trial has its values.
function Worker:check_steps(trial, outcome)
  if not self.study.stop or outcome.state ~= "complete" or has_steps(trial) or self:any(has_steps) then return end
  self:wrong(trial, " " .. attempt.unseen(self.study, outcome.folder))
end

-- Runs the claimed trial and keeps its outcome.
function Worker:work(trial, promoted)
  trial.steps = trial.steps or {}
  trial.step_limit = self.study.stop and self.study.stop:limit(trial) or nil
  self.folder = self.folder or place.folder(self.runs, self.store, self.id)
  self.say(("trial %d: %s%s"):format(trial.number, shown(trial.params), trial.attempts > 1 and " (taken up again)" or ""))
  local outcome = attempt.run {
    study = self.study, params = trial.params, folder = ("%s/%04d"):format(self.folder, trial.number),
    threads = self.threads, grace = self.grace, before = trial.seconds or 0, last_step = answered(trial, promoted),
    on_step = function(step, value) return self:on_step(trial, step, value) end, look = function() return self:look(trial) end,
  }
  outcome.digest = self.study.digest
  self:check_result(trial, outcome)
  self:check_failures(trial, outcome)
  if outcome.state == "interrupted" then self.store:release(trial)
  elseif outcome.state ~= "lost" then self.store:finish(trial, kept(trial, outcome)) end
  self.say(("trial %d: %s%s  (%.1f s)"):format(trial.number, outcome.state, what_came(trial, outcome), outcome.seconds))
  self:check_steps(trial, outcome)
end

-- -- The loop -----------------------------------------------------------------------------------------------------------------------

-- Claims a trial: it, and whether it is one that waited; or nil, and how many are running elsewhere: what they finish, or leave
-- unfinished, may make more to do.
function Worker:claim()
  self:refresh()
  local limit = self:limit()
  local promote = self:paused(limit)
  self.renewed = core.C.ex_clock()          -- the lease runs while the point is chosen, too
  local trial, running = self.store:claim(self.id, { worker = self.name, lease = self.lease, retries = self.study.retries,
                                                     promote = promote, limit = limit })
  if not trial then return nil, running end
  return trial, trial.number == promote
end

-- Forgets what it knows of the trials; false where none of them is thought to run. A running one that was withdrawn is not in the
-- store any more, and so never told of.
function Worker:forget()
  for _, trial in ipairs(self.trials) do
    if is_running(trial) then
      self.trials, self.counter = {}, nil
      return true
    end
  end
  return false
end

-- run(): until the study has no more to do ("done"; how many trials it worked on) or a signal came ("interrupted").
function Worker:run()
  local waiting, worked = Waiting.new(self.study.name, function() return false end), 0
  self:refresh()
  for _, trial in ipairs(self.trials) do self.finished = self.finished + (trial.finish and 1 or 0) end
  while not signals.requested() do
    local trial, more = self:claim()
    if trial then
      if trial.params or self:propose(trial) then
        self:work(trial, more)
        worked = worked + 1
      end
    elseif more > 0 then
      local text = waiting:look(self.trials)
      if text then self.say(text) end
      child.sleep(IDLE)
    elseif not self:forget() then
      return "done", worked
    end
  end
  return "interrupted"
end

return { new = new, shown = shown }
