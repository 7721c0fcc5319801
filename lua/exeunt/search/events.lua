-- search/events.lua: studies from the lines of a journal or an export, and back. A line is an event in JSON:
--
--   { event = "study", study = id, name, document, created }        a study was made
--   { event = "amend", study, document }                            it has another document
--   { event = "claim" | "propose" | "finish" | "pause" | "release", study, number, fields of the trial that it sets ... }
--   { event = "report", study, number, step, value }                null: not finite
--   { event = "withdraw", study, number }                           the trial is gone
--   { event = "trial", number, its fields, steps }                  a whole trial (exports)
--   { event = "import", study, name, lines = { events } }           a whole study came from an export
--   { event = "delete", study }                                     the study is gone
--   { event = "store", identity, made, studies = { { study, lines = { events } } } }      all that there is; before it there was nothing
--
-- In a journal each has a `seq`; of lines with the same one the last counts, and what is before a "store" does not. A line that
-- cannot be read is left out and counted, as is a number that is missing; an event that makes no sense is an error that names its
-- line. It claims nothing and runs nothing.

local core = require "exeunt.core"
local json = require "exeunt.report.json"

local events = {}

-- A trial's columns besides study, number, change and its claim; those of JSON are tables here.
local PLAIN = { "state", "point", "seen", "finish", "worker", "attempts", "error", "seconds", "run_dir" }
local TABLES = { "params", "values", "constraints", "attributes" }

-- -- Lines to studies -------------------------------------------------------------------------------------------

-- Whose a running trial is, and until when by the database's clock: only in journals.
local LEASE = { "lease", "lease_length" }

-- What a field must be; the others are texts.
local KINDS = { seen = "number", finish = "number", attempts = "number", seconds = "number", lease = "number", lease_length = "number" }

local function set_fields(trial, event, fail)
  local function set(name, kind)
    local value = event[name]
    if value == nil then return end
    if type(value) ~= kind then fail(("its %s is a %s"):format(name, type(value))) end
    if kind == "string" and value:find "%z" then fail(("its %s holds the character 0"):format(name)) end
    trial[name] = value
  end
  for _, names in ipairs { PLAIN, LEASE } do
    for _, name in ipairs(names) do set(name, KINDS[name] or "string") end
  end
  for _, name in ipairs(TABLES) do set(name, "table") end
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
    study.trials[event.number], study.withdrawn[event.number] = trial, nil
  end
  return trial
end

local function new_study(event, fail)
  if type(event.name) ~= "string" or type(event.document) ~= "table" then fail "a study without a name or a document" end
  if event.name == "" or event.name:find "%c" then fail "a study's name must be a text in one line" end
  return { name = event.name, document = event.document, created = tonumber(event.created), trials = {}, withdrawn = {} }
end

local changes = {}

function changes.claim(study, event, fail) set_fields(trial_of(study, event, fail), event, fail) end
changes.propose, changes.finish, changes.pause, changes.release = changes.claim, changes.claim, changes.claim, changes.claim

function changes.report(study, event, fail) add_step(trial_of(study, event, fail), event.step, event.value, fail) end

function changes.amend(study, event, fail)
  if type(event.document) ~= "table" then fail "it has no document" end
  study.document = event.document
end

function changes.withdraw(study, event)
  study.trials[event.number or -1], study.withdrawn[event.number or -1] = nil, true
end

function changes.trial(study, event, fail)
  local trial = trial_of(study, event, fail)
  set_fields(trial, event, fail)
  for _, step in ipairs(event.steps or {}) do
    if type(step) ~= "table" then fail "its steps are none" end
    add_step(trial, step[1], step[2], fail)
  end
end

local apply

-- A study from its lines.
local function study_of(lines, fail)
  local inner = {}
  for _, line in ipairs(type(lines) == "table" and lines or {}) do apply(inner, line, fail) end
  return inner[1] or fail "it holds no study"
end

-- What changes more than one study's trials.
local whole = {}

function whole.study(studies, id, event, fail) studies[id] = new_study(event, fail) end

function whole.import(studies, id, event, fail)
  studies[id] = study_of(event.lines, fail)
  studies[id].name = event.name
end

function whole.delete(studies, id) studies[id] = nil end

function whole.store(studies, _, event, fail)
  for id in pairs(studies) do studies[id] = nil end
  for _, each in ipairs(type(event.studies) == "table" and event.studies or {}) do
    if type(each) ~= "table" or not is_count(each.study) then fail "a study without its number" end
    studies[each.study] = study_of(each.lines, fail)
  end
end

-- The studies by id after one event more.
function apply(studies, event, fail)
  if type(event) ~= "table" then fail "it is no event" end
  local id = event.study or 1                -- an export is of one study
  if not is_count(id) then fail "its study is no number" end
  if whole[event.event] then whole[event.event](studies, id, event, fail)
  elseif not changes[event.event] then fail(("an unknown event, %s"):format(tostring(event.event)))
  elseif not studies[id] then fail(("there is no study %s before it"):format(tostring(id)))
  else changes[event.event](studies[id], event, fail) end
end

-- Steps as a list, trials as a list in order of number, counters; `lost`: how many numbers no trial has.
local function settle(study)
  local list, finished, withdrawn = {}, 0, 0
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
  for number in pairs(study.withdrawn) do withdrawn = withdrawn + (number < study.next and 1 or 0) end
  study.lost, study.withdrawn = study.next - #list - withdrawn, nil
end

-- The events of lines (a list of texts), each with its line's number; what is known of them all.
local function events_of(lines, where)
  local list, place, unread, last = {}, {}, {}, 0
  for number, line in ipairs(lines) do
    local ok, event = pcall(json.decode, line)
    if not ok then unread[#unread + 1] = number
    else
      event = json.plain(event)
      local seq = type(event) == "table" and event.seq
      if seq and not is_count(seq) then core.raise("%s: line %d: its seq is no number of an event", where, number) end
      local at = seq and place[seq] or #list + 1
      if seq then place[seq], last = at, math.max(last, seq) end
      list[at] = { event, number }
    end
  end
  return list, place, unread, last
end

-- Without what an event "store" makes needless; how many lines after it could not be read, and how many numbers are missing.
local function needed(list, place, unread, last)
  local about, first, from = { unread = 0, last = last, lacks = 0 }, 1, 0
  for i, pair in ipairs(list) do
    local event = pair[1]
    if type(event) == "table" and event.event == "store" then first, from, about.store = i, event.seq or 0, event end
  end
  for _, number in ipairs(unread) do
    if not about.store or number > list[first][2] then about.unread = about.unread + 1 end
  end
  for seq = from + 1, last do
    if not place[seq] then
      about.lacks = about.lacks + 1
      about.first = about.first or seq
    end
  end
  return { unpack(list, first) }, about
end

-- read(lines, where[, partial]) -> studies by their ids ({ name, document, created, trials, next, finished, lost }), and of the
-- lines: { unread = how many could not be read, last = the last event's seq, lacks = how many events are missing up to it, first =
-- the first of those, made = the highest id of a study, identity = the store's, skipped = how many events were left out }. where:
-- for messages. partial: events of a study that is not known are left out; else they are an error.
function events.read(lines, where, partial)
  local studies = {}
  local list, about = needed(events_of(lines, where))
  about.made, about.skipped = about.store and tonumber(about.store.made) or 0, 0
  about.identity = about.store and type(about.store.identity) == "string" and about.store.identity or nil
  for _, pair in ipairs(list) do
    local event = pair[1]
    local id = type(event) == "table" and is_count(event.study) and event.study or nil
    about.made = math.max(about.made, id or 0)
    if partial and id and not studies[id] and changes[event.event] then about.skipped = about.skipped + 1
    else apply(studies, event, function(what) core.raise("%s: line %d: %s", where, pair[2], what) end) end
  end
  about.store = nil
  for _, study in pairs(studies) do settle(study) end
  return studies, about
end

-- -- Studies to a database ------------------------------------------------------------------------------------------

local INSERT = 'INSERT INTO trials (study, number, change, lease, lease_length, state, point, seen, finish, worker, attempts, error, '
  .. 'seconds, run_dir, params, "values", constraints, attributes) VALUES ($1, $2, 1, CAST($3 AS DOUBLE PRECISION), '
  .. 'CAST($4 AS DOUBLE PRECISION), $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)'

local function text_of(t)
  return t and json.encode(t[1] ~= nil and json.list(t) or t)
end

-- write(db, id, study[, leases]): within a transaction, a study that is not there yet. Its running trials count as given up, so that
-- the next who claims one goes on with them; with `leases` they stay whose they were, as long as they were to.
function events.write(db, id, study, leases)
  db:execute(("INSERT INTO studies VALUES ($1, $2, $3, COALESCE(CAST($4 AS DOUBLE PRECISION), %s), $5, $6, 1)"):format(db.time), id,
             study.name, json.encode(study.document), study.created, study.next, study.finished)
  for _, t in ipairs(study.trials) do
    local runs = t.state == "running"
    db:execute(INSERT, id, t.number, runs and (leases and t.lease or 0) or nil, runs and (leases and t.lease_length or 0) or nil, t.state,
               t.point, t.seen, t.finish, t.worker, t.attempts, t.error, t.seconds and json.number(t.seconds), t.run_dir,
               text_of(t.params), text_of(t.values), text_of(t.constraints), text_of(t.attributes))
    for _, step in ipairs(t.steps) do
      local finite = step[2] == step[2]
      db:execute("INSERT INTO steps VALUES ($1, $2, $3, $4)", id, t.number, step[1], finite and json.number(step[2]) or nil)
    end
  end
end

-- -- Studies to lines -------------------------------------------------------------------------------------------------

-- of(study, trials[, leases]) -> the events of an export: the study's, then each trial's.
function events.of(study, trials, leases)
  local list = { { event = "study", name = study.name, document = study.document, created = study.created } }
  for _, trial in ipairs(trials) do
    local event = { event = "trial", number = trial.number }
    for _, names in ipairs { PLAIN, TABLES, leases and LEASE or nil } do
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
