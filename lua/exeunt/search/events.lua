-- search/events.lua: studies from the lines of a journal or an export, and back. A line is an event in JSON:
--
--   { event = "study", study = id, name, document, created }        a study was made
--   { event = "amend", study, document }                            it has another document
--   { event = "claim" | "propose" | "finish" | "pause" | "release", study, number, fields of the trial that it sets ... }
--   { event = "report", study, number, step, value }                null: not finite
--   { event = "withdraw", study, number }                           the trial is gone
--   { event = "trial", number, its fields, steps }                  a whole trial (exports)
--   { event = "import", study, name, lines = { events } }           a whole study came from an export
--
-- In a journal each has a `seq`; of lines with the same one the last counts. A line that cannot be read is left out and counted;
-- an event that makes no sense is an error that names its line. It claims nothing and runs nothing.

local core = require "exeunt.core"
local json = require "exeunt.report.json"

local events = {}

-- A trial's columns besides study, number, change and its claim; those of JSON are tables here.
local PLAIN = { "state", "point", "seen", "finish", "worker", "attempts", "error", "seconds", "run_dir" }
local TABLES = { "params", "values", "constraints", "attributes" }

-- -- Lines to studies -------------------------------------------------------------------------------------------

-- What a field must be; the others are texts.
local KINDS = { seen = "number", finish = "number", attempts = "number", seconds = "number" }

local function set_fields(trial, event, fail)
  for _, name in ipairs(PLAIN) do
    if event[name] ~= nil then
      if type(event[name]) ~= (KINDS[name] or "string") then fail(("its %s is a %s"):format(name, type(event[name]))) end
      trial[name] = event[name]
    end
  end
  for _, name in ipairs(TABLES) do
    if event[name] ~= nil then
      if type(event[name]) ~= "table" then fail(("its %s is a %s"):format(name, type(event[name]))) end
      trial[name] = event[name]
    end
  end
end

local function is_count(x) return type(x) == "number" and x >= 0 and x == math.floor(x) and x < 2^31 end

local function add_step(trial, step, value, fail)
  if not is_count(step) or value ~= nil and type(value) ~= "number" then fail "its step or value is none" end
  trial.by_step[step] = value or 0/0
end

local function trial_of(study, event, fail)
  if not is_count(event.number) then fail "it names no trial" end
  local trial = study.trials[event.number]
  if not trial then
    trial = { number = event.number, state = "running", seen = 0, attempts = 1, by_step = {} }
    study.trials[event.number] = trial
  end
  return trial
end

local function new_study(event, fail)
  if type(event.name) ~= "string" or type(event.document) ~= "table" then fail "a study without a name or a document" end
  return { name = event.name, document = event.document, created = tonumber(event.created), trials = {} }
end

local changes = {}

function changes.claim(study, event, fail) set_fields(trial_of(study, event, fail), event, fail) end
changes.propose, changes.finish, changes.pause, changes.release = changes.claim, changes.claim, changes.claim, changes.claim

function changes.report(study, event, fail) add_step(trial_of(study, event, fail), event.step, event.value, fail) end

function changes.amend(study, event, fail)
  if type(event.document) ~= "table" then fail "it has no document" end
  study.document = event.document
end

function changes.withdraw(study, event) study.trials[event.number or -1] = nil end

function changes.trial(study, event, fail)
  local trial = trial_of(study, event, fail)
  set_fields(trial, event, fail)
  for _, step in ipairs(event.steps or {}) do
    if type(step) ~= "table" then fail "its steps are none" end
    add_step(trial, step[1], step[2], fail)
  end
end

-- The studies by id after one event more.
local function apply(studies, event, fail)
  if type(event) ~= "table" then fail "it is no event" end
  local id = event.study or 1                -- an export is of one study
  if event.event == "study" then studies[id] = new_study(event, fail)
  elseif event.event == "import" then
    local inner = {}
    for _, line in ipairs(event.lines or {}) do apply(inner, line, fail) end
    if not inner[1] then fail "an import of nothing" end
    studies[id] = inner[1]
    studies[id].name = event.name
  elseif not changes[event.event] then fail(("an unknown event, %s"):format(tostring(event.event)))
  elseif not studies[id] then fail(("there is no study %s before it"):format(tostring(id)))
  else changes[event.event](studies[id], event, fail) end
end

-- Steps as a list, trials as a list in order of number, counters.
local function settle(study)
  local list, finished = {}, 0
  for _, trial in pairs(study.trials) do
    trial.steps = {}
    for step, value in pairs(trial.by_step) do trial.steps[#trial.steps + 1] = { step, value } end
    table.sort(trial.steps, function(a, b) return a[1] < b[1] end)
    trial.by_step = nil
    list[#list + 1] = trial
    finished = math.max(finished, trial.finish or 0)
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  study.trials, study.finished, study.next = list, finished, #list > 0 and list[#list].number + 1 or 0
end

-- The events of lines (a list of texts), each with its line's number; how many could not be read; the last seq.
local function events_of(lines, where)
  local list, place, unread, last = {}, {}, 0, 0
  for number, line in ipairs(lines) do
    local ok, event = pcall(json.decode, line)
    if not ok then unread = unread + 1
    else
      event = json.plain(event)
      local seq = type(event) == "table" and event.seq
      if seq and type(seq) ~= "number" then core.raise("%s: line %d: its seq is a %s", where, number, type(seq)) end
      local at = seq and place[seq] or #list + 1
      if seq then place[seq], last = at, math.max(last, seq) end
      list[at] = { event, number }
    end
  end
  return list, unread, last
end

-- read(lines, where) -> studies by their ids ({ name, document, created, trials, next, finished }), how many lines could not be
-- read, and the last event's seq. where: for messages.
function events.read(lines, where)
  local studies = {}
  local list, unread, last = events_of(lines, where)
  for _, pair in ipairs(list) do
    apply(studies, pair[1], function(what) core.raise("%s: line %d: %s", where, pair[2], what) end)
  end
  for _, study in pairs(studies) do settle(study) end
  return studies, unread, last
end

-- -- Studies to a database ------------------------------------------------------------------------------------------

local INSERT = 'INSERT INTO trials (study, number, change, lease, lease_length, state, point, seen, finish, worker, attempts, error, '
  .. 'seconds, run_dir, params, "values", constraints, attributes) VALUES ($1, $2, 1, CAST($3 AS DOUBLE PRECISION), 0, $4, $5, $6, '
  .. '$7, $8, $9, $10, $11, $12, $13, $14, $15, $16)'

local function text_of(t)
  return t and json.encode(t[1] ~= nil and json.list(t) or t)
end

-- write(db, id, study): within a transaction, a study that is not there yet. Its running trials count as given up: the next who
-- claims one goes on with them.
function events.write(db, id, study)
  db:execute(("INSERT INTO studies VALUES ($1, $2, $3, COALESCE(CAST($4 AS DOUBLE PRECISION), %s), $5, $6, 1)"):format(db.time), id,
             study.name, json.encode(study.document), study.created, study.next, study.finished)
  for _, t in ipairs(study.trials) do
    db:execute(INSERT, id, t.number, t.state == "running" and 0 or nil, t.state, t.point, t.seen, t.finish, t.worker, t.attempts, t.error,
               t.seconds and json.number(t.seconds), t.run_dir, text_of(t.params), text_of(t.values), text_of(t.constraints),
               text_of(t.attributes))
    for _, step in ipairs(t.steps) do
      local finite = step[2] == step[2]
      db:execute("INSERT INTO steps VALUES ($1, $2, $3, $4)", id, t.number, step[1], finite and json.number(step[2]) or nil)
    end
  end
end

-- -- Studies to lines -------------------------------------------------------------------------------------------------

-- of(study, trials) -> the events of an export: the study's, then each trial's.
function events.of(study, trials)
  local list = { { event = "study", name = study.name, document = study.document, created = study.created } }
  for _, trial in ipairs(trials) do
    local event = { event = "trial", number = trial.number }
    for _, names in ipairs { PLAIN, TABLES } do
      for _, name in ipairs(names) do event[name] = trial[name] end
    end
    if #trial.steps > 0 then event.steps = trial.steps end
    list[#list + 1] = event
  end
  return list
end

-- ids(studies) -> the ids in order.
function events.ids(studies)
  local ids = {}
  for id in pairs(studies) do ids[#ids + 1] = id end
  table.sort(ids)
  return ids
end

return events
