-- search/store.lua: studies and their trials in a database. Every claim and every result is one transaction, so that any
-- number of workers may be killed at any instant: nothing is lost, nothing done twice, and finished trials never change. A
-- claim is a lease by the database's clock; who does not renew it loses the trial to the next that asks for one.
-- It runs no trial and draws no params. Beside an SQLite file FILE lies its journal FILE.jsonl (search/journal.lua), which it mends
-- where lines of it are gone; from it search/rebuild.lua makes a damaged store anew.
--
-- A trial: { number, state = "running"|"paused"|"complete"|"stopped"|"failed", params, values, steps = { {step, value}, ... },
-- constraints, seen, finish, worker, attempts, error, seconds, run_dir, attributes }.

local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local options = require "exeunt.options"
local schema = require "exeunt.search.schema"
local events = require "exeunt.search.events"
local Database = require "exeunt.search.database"
local Journal = require "exeunt.search.journal"

local Store = {}
Store.__index = Store

Store.default = "runs/studies.db"

-- Says a line to a person.
function Store.say(text) io.stderr:write(text, "\n") end

-- open(address[, { make = true, read = false }]): a file (made with its folder if need be; nil: Store.default) or postgresql://...
-- Raises one line. make = false: a store that is not there is an error, and nothing is made; where it may not be written it can still
-- be read. read = true: so too, and a store of an earlier version stays one: it is only looked into.
function Store.open(address, given)
  local o = options.check("store.open", given or {}, { make = true, read = false })
  address = address or Store.default
  local self = setmetatable({ claims = 0, make = o.make and not o.read, read_only = o.read, names = {} }, Store)
  if not Database.is_server(address) then
    self.journal = Journal.new(address)
    self:check_file(address)
    local folder = address:match "^(.*)/[^/]*$"
    if folder and folder ~= "" then file.make_folder(folder) end
  end
  self:connect(address)
  return self
end

local function no_store(address)
  core.raise("there is no store %s: `exeunt search STUDY` makes one; --store says where another is", address)
end

-- Refuses a file that is not there, where one must be: where its journal is, and where none is to be made.
function Store:check_file(address)
  local kind = file.kind(address)
  if kind == "folder" then core.raise("%s is a folder: a store is a file in one", address) end
  self.journal:check_name()
  if not kind and self.journal:size() > 0 then core.raise("there is no store %s%s", address, self.journal:advice(true)) end
  if not self.make and (not kind or file.stat(address) == 0 and self.journal:size() == 0) then no_store(address) end
end

-- Files that are looked through when they are opened: 20 ms for 10,000 trials.
local LOOKED_THROUGH = 64e6

local function small_enough(path) return (file.stat(path)) <= LOOKED_THROUGH end

-- The schema: of the newest version, or, where the store is only read, any that can be read -> is it the newest?
function Store:prepare()
  local version = schema.version(self.db)
  if version == 0 and (self.read_only or not self.make and self.db.server) then
    schema.check_foreign(self.db)
    no_store(self.db.name)
  end
  if not self.read_only then schema.prepare(self.db) end
  return schema.check(self.db)
end

-- Opens the database, checks it against its journal and its schema; advice where it is damaged.
function Store:connect(address)
  local ok, message = pcall(function()
    self.db = Database.open(address)
    if self.journal then
      local tail = self.journal:last()
      local said = small_enough(address) and self.db:first "PRAGMA quick_check(1)" or "ok"
      if said ~= "ok" then core.raise("%s: it is damaged (%s)", address, (said:match "[^\n]*$")) end
      self.journal:check(self.db, tail)
    end
    self.name = self.db.name
    if self:prepare() and self.journal then self:mend() end
  end)
  if ok then return end
  if self.db then self.db:close() end
  error(self:advise(message), 0)
end

-- Why a file beside which others have to be made cannot be opened, as the system says it; nil: it says nothing.
local function obstacle(path)
  for _, name in ipairs { path, path .. "-probe" } do
    local there = file.kind(name)
    local handle, why = io.open(name, there and "r+b" or "wb")
    if not handle then return (why:gsub("^.*: ", "")) end
    handle:close()
    if not there then os.remove(name) end
  end
end

-- An error's text, with what to do about a damaged file, and what is in the way of one that cannot be opened.
function Store:advise(message)
  message = tostring(message)
  local path = self.journal and message:match "^(.*): unable to open database file$"
  local why = path and obstacle(path)
  if why then return ("%s: it can be neither opened nor made there: %s; --store says where another is to lie"):format(path, why) end
  if not self.journal or not message:find(": it is damaged", 1, true) then return message end
  local advised = message:find("; its journal", 1, true) or message:find(", or no store", 1, true)
  return advised and message or message .. self.journal:advice()
end

function Store:close() self.db:close() end

-- Writes to the journal what it lacks, and says so.
function Store:mend()
  if self.journal:whole(self.db) then return end
  local lacked
  local ok, message = pcall(self.write, self, true, function(_, emit)
    lacked = self.journal:lacks(self.db)
    if lacked then emit(self:everything())
    else self.db:execute("UPDATE exeunt_store SET journal = $1", self.journal:size()) end
  end)
  if not ok and self.make then error(message, 0) end
  if not ok then Store.say(("its journal is not mended: %s"):format(message))
  elseif lacked and lacked ~= "" then self:say_mended(lacked) end
end

function Store:say_mended(lacked)
  Store.say(("%s: its journal %s %s; all that the store holds is written to it again"):format(self.name, self.journal.path, lacked))
end

function Store:__tostring() return ("store %s"):format(self.name) end

-- A write transaction: work(again, emit); emit(event), at most once, makes a line of the journal. durable: it is on the disk when this
-- returns, else after a power cut the last transactions may be missing (never a part of one, nor after a mere kill).
function Store:write(durable, work)
  local db = self.db
  local full = durable and not db.server
  local cut = false
  local ok, a, b = pcall(function()
    if full then db:execute "PRAGMA synchronous = FULL" end
    return db:transact(function(again)
      local event
      local first, second = work(again, function(made) event = made end)
      if event and self.journal then
        cut = self.journal:add(db, event, durable, function() return self:everything() end) and event.event ~= "store"
      end
      return first, second
    end)
  end)
  if full and db.handle then pcall(db.execute, db, "PRAGMA synchronous = NORMAL") end
  if not ok then error(self:advise(a), 0) end
  if cut then self:say_mended "was removed or cut short" end
  return a, b
end

-- A read: damage is named with advice here too. Within a transaction a server that went away is the transaction's affair.
function Store:read(sql, ...)
  while true do
    local ok, rows = pcall(self.db.execute, self.db, sql, ...)
    if ok then return rows end
    if self.db.failure ~= core.C.EX_STORE_LOST or self.db.transacting then error(self:advise(rows), 0) end
    self.db:reconnect()
  end
end

-- -- Studies -----------------------------------------------------------------------------------------------------

-- What of a study's document may change at any time: it changes none of its trials.
local LIMITS = { "trials", "seconds", "epochs", "trial_seconds", "retries" }

local function decoded(text) return text and json.plain(json.decode(text)) end

function Store:study_of(row)
  self.names[tonumber(row[1])] = row[2]
  return { id = tonumber(row[1]), name = row[2], document = decoded(row[3]), created = tonumber(row[4]),
           trials = tonumber(row[5]), finished = tonumber(row[6]) }
end

local STUDY = "SELECT id, name, document, created, next, finished FROM studies "

-- studies() -> list of { id, name, document, created, trials, finished }, in the order in which they were made.
function Store:studies()
  local list = {}
  for i, row in ipairs(self:read(STUDY .. "ORDER BY id")) do list[i] = self:study_of(row) end
  return list
end

-- study(name) -> one of them, or nil.
function Store:study(name)
  local row = self:read(STUDY .. "WHERE name = $1", name)[1]
  return row and self:study_of(row)
end

function Store:no_study(id)
  local name = self.names[tonumber(id)]
  local what = name and ("'%s' any more"):format(name) or "with the id " .. tostring(id)
  core.raise("%s: there is no study %s: was it deleted?", self.name, what)
end

-- study_by_id(id) -> one of them. Raises where it is not there.
function Store:study_by_id(id)
  local row = self:read(STUDY .. "WHERE id = $1", id)[1]
  if not row then self:no_study(id) end
  return self:study_of(row)
end

-- identity() -> a text that no other store has.
function Store:identity() return self:read("SELECT identity FROM exeunt_store")[1][1] end

-- Within a transaction: the id for a new study, which none ever had: a worker of one that was deleted must not meet another.
function Store:new_id() return tonumber((self.db:first "UPDATE exeunt_store SET made = made + 1 RETURNING made")) end

-- create(name, document) -> the new study's id. One that is there with the same document is as good as new; with another
-- document it is an error.
function Store:create(name, document)
  if type(name) ~= "string" or name == "" or name:find "%c" then core.raise("store: a study's name must be a text in one line") end
  local text = json.encode(json.checked(document, "study " .. name), nil, "study " .. name)
  return self:write(true, function(_, emit)
    if self.db.server then self.db:execute "SELECT version FROM exeunt_store FOR UPDATE" end      -- one at a time
    local old, there = self.db:first("SELECT id, document FROM studies WHERE name = $1", name)
    if old and there == text then return tonumber(old) end
    if old then core.raise("%s: there is a study '%s' already, and it is another one", self.name, name) end
    local id = self:new_id()
    self.names[id] = name
    local created = self.db:first(("INSERT INTO studies VALUES ($1, $2, $3, %s, 0, 0, 0) RETURNING created"):format(self.db.time),
                                  id, name, text)
    emit { event = "study", study = id, name = name, document = document, created = tonumber(created) }
    return id
  end)
end

-- amend(id, change, document) -> true, or false where a trial has changed since the counter `change` (of trials()). Gives a study
-- another document; refused while somebody works on a trial of it.
function Store:amend(id, change, document)
  local text = json.encode(json.checked(document, "study"), nil, "study")
  return self:write(true, function(_, emit)
    local _, _, now = self:hold(id)
    if now ~= change + 1 then return false end
    local busy = self.db:first("SELECT number FROM trials WHERE study = $1 AND state = 'running' AND " .. self:alive() .. " LIMIT 1", id)
    if busy then core.raise("%s: somebody works on its trial %s, or did a moment ago: end that first", self.name, busy) end
    self.db:execute("UPDATE studies SET document = $2 WHERE id = $1", id, text)
    emit { event = "amend", study = id, document = document }
    return true
  end)
end

-- limit(id, limits) -> true, or false where it has these already. Gives a study other limits (LIMITS; nil: none): who works on it goes
-- on with those it knows, whoever comes then has these.
function Store:limit(id, limits)
  local function differing(document)
    for _, name in ipairs(LIMITS) do
      if document[name] ~= limits[name] then return true end
    end
    return false
  end
  if not differing(self:study_by_id(id).document) then return false end
  return self:write(true, function(_, emit)
    self:hold(id)
    local document = decoded((self.db:first("SELECT document FROM studies WHERE id = $1", id)))
    for _, name in ipairs(LIMITS) do document[name] = limits[name] end
    self.db:execute("UPDATE studies SET document = $2 WHERE id = $1", id, json.encode(json.checked(document, "study"), nil, "study"))
    emit { event = "amend", study = id, document = document }
    return true
  end)
end

-- -- Trials: reading ------------------------------------------------------------------------------------------------

local COLUMNS = 'number, state, params, "values", constraints, seen, finish, worker, attempts, error, seconds, run_dir, attributes, '
  .. "point, lease, lease_length"

local function trial_of(study, row)
  return {
    study = study, number = tonumber(row[1]), state = row[2], params = decoded(row[3]), values = decoded(row[4]), steps = {},
    constraints = decoded(row[5]), seen = tonumber(row[6]), finish = tonumber(row[7]), worker = row[8], attempts = tonumber(row[9]),
    error = row[10], seconds = tonumber(row[11]), run_dir = row[12], attributes = decoded(row[13]), point = row[14],
    lease = tonumber(row[15]), lease_length = tonumber(row[16]),
  }
end

-- trials(id[, after]) -> list of trials in order of number, and a change counter; with `after`, an earlier counter, only those
-- that changed since (whole, with all their steps).
function Store:trials(id, after)
  after = after or -1
  local change = self:read("SELECT change FROM studies WHERE id = $1", id)[1]
  if not change then self:no_study(id) end
  local list, by_number = {}, {}
  for i, row in ipairs(self:read("SELECT " .. COLUMNS .. " FROM trials WHERE study = $1 AND change > $2 ORDER BY number", id, after)) do
    list[i] = trial_of(id, row)
    by_number[list[i].number] = list[i]
  end
  if #list == 0 then return list, tonumber(change[1]) end
  -- + 0: or SQLite reads all of the study's steps in their order to find those of the few trials that have changed
  for _, row in ipairs(self:read("SELECT s.number, s.step, s.value FROM trials t JOIN steps s ON s.study = t.study AND s.number = "
      .. "t.number WHERE t.study = $1 AND t.change > $2 ORDER BY s.number + 0, s.step", id, after)) do
    local trial = by_number[tonumber(row[1])]
    if trial then trial.steps[#trial.steps + 1] = { tonumber(row[2]), row[3] and tonumber(row[3]) or 0/0 } end
  end
  return list, tonumber(change[1])
end

-- trial(id, number) -> one of them, or nil.
function Store:trial(id, number)
  local row = self:read("SELECT " .. COLUMNS .. " FROM trials WHERE study = $1 AND number = $2", id, number)[1]
  if not row then return nil end
  local trial = trial_of(id, row)
  for i, step in ipairs(self:read("SELECT step, value FROM steps WHERE study = $1 AND number = $2 ORDER BY step", id, number)) do
    trial.steps[i] = { tonumber(step[1]), step[2] and tonumber(step[2]) or 0/0 }
  end
  return trial
end

-- -- Trials: claims --------------------------------------------------------------------------------------------------

-- Within a transaction: takes hold of the study, so that those who change it come one after the other -> the number of its
-- next new trial, of those that finished, and this transaction's change counter.
function Store:hold(id)
  local next_number, finished, change = self.db:first("UPDATE studies SET change = change + 1 WHERE id = $1 "
    .. "RETURNING next, finished, change", id)
  if not next_number then self:no_study(id) end
  return tonumber(next_number), tonumber(finished), tonumber(change)
end

-- What names a claim: no two are the same, in any process.
function Store:new_claim()
  self.base = self.base or self.db:first("SELECT " .. self.db.unique)
  self.claims = self.claims + 1
  return ("%s-%d"):format(self.base, self.claims)
end

-- Of a running trial, in SQL: its lease lives. One that ends later than one from now on would is one by a clock that has gone back since.
function Store:alive() return ("(lease > %s AND lease <= %s + lease_length)"):format(self.db.clock, self.db.clock) end

-- Within a claim's transaction: the first trial whose lease ran out -> its number, attempts.
function Store:dead(id)
  local number, attempts = self.db:first("SELECT number, attempts FROM trials WHERE study = $1 AND state = 'running' AND NOT "
    .. self:alive() .. " ORDER BY number LIMIT 1", id)
  return tonumber(number), tonumber(attempts)
end

-- Within a transaction: a new trial, claimed.
function Store:append(id, number, finished, change, claim, o)
  self.db:execute("UPDATE studies SET next = $2 WHERE id = $1", id, number + 1)
  local lease = self.db:first(("INSERT INTO trials (study, number, state, seen, worker, attempts, change, claim, lease, lease_length) "
    .. "VALUES ($1, $2, 'running', $3, $4, 1, $5, $6, %s + CAST($7 AS DOUBLE PRECISION), $7) RETURNING lease"):format(self.db.clock), id,
    number, finished, o.worker, change, claim, o.lease)
  return { study = id, number = number, state = "running", seen = finished, worker = o.worker, attempts = 1, steps = {},
           lease = tonumber(lease), lease_length = tonumber(o.lease) }
end

-- Within a transaction: a trial that is there already, claimed.
function Store:take(id, number, attempts, change, claim, o)
  self.db:execute(("UPDATE trials SET state = 'running', worker = $3, attempts = $4, change = $5, claim = $6, lease = %s + "
    .. "CAST($7 AS DOUBLE PRECISION), lease_length = $7 WHERE study = $1 AND number = $2"):format(self.db.clock), id, number, o.worker,
    attempts, change, claim, o.lease)
  return self:trial(id, number)
end

-- One transaction of claim: the trial; or nil and how many are running elsewhere; or false where a dead trial had too many
-- attempts and now failed, so that one has to look again.
function Store:try_claim(id, claim, o, again, emit)
  local next_number, finished, change = self:hold(id)
  local mine = again and self.db:first("SELECT number FROM trials WHERE study = $1 AND claim = $2", id, claim)
  if mine then return self:trial(id, mine) end
  local number, attempts = self:dead(id)
  if number and attempts > o.retries then
    self:settle(id, number, change, { state = "failed",
      error = ("its worker died %d time%s"):format(attempts, attempts == 1 and "" or "s") }, emit)
    return false
  end
  if number then attempts = attempts + 1
  elseif o.promote then
    number, attempts = self.db:first("SELECT number, attempts FROM trials WHERE study = $1 AND number = $2 AND state = 'paused'",
                                     id, o.promote)
  end
  if not number and next_number >= o.limit then
    return nil, tonumber((self.db:first("SELECT COUNT(*) FROM trials WHERE study = $1 AND state = 'running'", id)))
  end
  local trial = number and self:take(id, number, attempts, change, claim, o)
    or self:append(id, next_number, finished, change, claim, o)
  emit { event = "claim", study = id, number = trial.number, state = "running", seen = trial.seen, worker = trial.worker,
         attempts = trial.attempts, lease = trial.lease, lease_length = trial.lease_length }
  return trial
end

-- claim(id, { worker, lease = seconds, limit, retries, promote }) -> a trial that is now this worker's, or nil and how many are
-- running elsewhere, where the limit of trials is reached. First one whose worker died (one attempt more; after `retries`
-- of them it failed), then the paused one that `promote` names, then a new one, without params and with `seen` set.
function Store:claim(id, given)
  local o = options.check("store.claim", given, { worker = options.required, lease = 60, limit = math.huge, retries = 3,
                                                  promote = options.optional })
  local claim = self:new_claim()
  local trial, running
  repeat
    trial, running = self:write(false, function(again, emit) return self:try_claim(id, claim, o, again, emit) end)
  until trial ~= false
  if trial then trial.claim = claim end
  return trial, running
end

-- Within a transaction: is this trial still who claimed it? One that nobody claimed in this process (from trial() or trials())
-- is as long as it runs.
function Store:holds(trial)
  local state, claim, params = self.db:first("SELECT state, claim, params FROM trials WHERE study = $1 AND number = $2", trial.study,
                                             trial.number)
  if not state then core.raise("%s: the study has no trial %s", self.name, tostring(trial.number)) end
  return state == "running" and (not trial.claim or trial.claim == claim), state, claim, params
end

-- propose(trial, params[, key]) -> true, or false where it is no longer this worker's. Sets the params of a claimed trial
-- that has none; key: the space's text for this point.
function Store:propose(trial, params, key)
  local text = json.encode(json.checked(params, "params"), nil, "params")
  local done = self:write(false, function(_, emit)
    local _, _, change = self:hold(trial.study)
    local holds, _, _, there = self:holds(trial)
    if not holds then return false end
    if there == text then return true end
    if there then core.raise("%s: trial %d has params already: %s", self.name, trial.number, there) end
    self.db:execute("UPDATE trials SET params = $3, point = $4, change = $5 WHERE study = $1 AND number = $2", trial.study, trial.number,
                    text, key, change)
    emit { event = "propose", study = trial.study, number = trial.number, params = params, point = key }
    return true
  end)
  if done then trial.params = decoded(text) end
  return done
end

-- renew(trial, lease) -> true, or false where the trial is no longer this worker's.
function Store:renew(trial, lease)
  return self:write(false, function()
    self:hold(trial.study)
    if not self:holds(trial) then return false end
    self.db:execute(("UPDATE trials SET lease = %s + CAST($3 AS DOUBLE PRECISION), lease_length = $3 WHERE study = $1 AND number = $2")
      :format(self.db.clock), trial.study, trial.number, lease)
    return true
  end)
end

-- report(trial, step, value) -> true, or false where the trial is no longer this worker's. A step that is there already keeps
-- its value. A value that is not finite is kept as such: it reads back as NaN.
function Store:report(trial, step, value)
  if type(step) ~= "number" or step ~= math.floor(step) or step < 0 then
    core.raise("store.report: a step is a whole number from 0 on, got %s", tostring(step))
  end
  local finite = value == value and value ~= math.huge and value ~= -math.huge
  return self:write(false, function(_, emit)
    local _, _, change = self:hold(trial.study)
    if not self:holds(trial) then return false end
    local there = self.db:first("SELECT 1 FROM steps WHERE study = $1 AND number = $2 AND step = $3", trial.study, trial.number, step)
    if there then return true end
    self.db:execute("INSERT INTO steps VALUES ($1, $2, $3, $4)", trial.study, trial.number, step, finite and json.number(value) or nil)
    self.db:execute("UPDATE trials SET change = $3 WHERE study = $1 AND number = $2", trial.study, trial.number, change)
    emit { event = "report", study = trial.study, number = trial.number, step = step, value = value }
    return true
  end)
end

-- -- Trials: ends ---------------------------------------------------------------------------------------------------

local ends = { complete = true, stopped = true, failed = true }

local function list_text(list, what)
  if list == nil then return nil end
  return json.encode(json.list { unpack(json.checked(list, what)) }, nil, what)
end

-- Within a transaction: the trial has finished, with these fields.
function Store:settle(id, number, change, fields, emit)
  local finish = tonumber((self.db:first("UPDATE studies SET finished = finished + 1 WHERE id = $1 RETURNING finished", id)))
  self.db:execute([[UPDATE trials SET state = $3, finish = $4, "values" = $5, constraints = $6, error = $7, seconds = $8, run_dir = $9,
    attributes = $10, change = $11, lease = NULL, lease_length = NULL WHERE study = $1 AND number = $2]], id, number, fields.state, finish,
    list_text(fields.values, "values"), list_text(fields.constraints, "constraints"), fields.error,
    fields.seconds and json.number(fields.seconds), fields.run_dir,
    fields.attributes and json.encode(json.checked(fields.attributes, "attributes")), change)
  local event = { event = "finish", study = id, number = number, finish = finish }
  for key, value in pairs(fields) do event[key] = value end
  emit(event)
  return finish
end

-- finish(trial, { state, values, constraints, error, seconds, run_dir, attributes }) -> true, or false where the trial had
-- finished already or is no longer this worker's: then nothing changes. The state "paused" is no finish: it releases the
-- claim until the trial is promoted, and keeps run_dir and seconds. A trial that took a second or more is on the disk when this returns.
function Store:finish(trial, given)
  local o = options.check("store.finish", given, { state = options.required, values = options.optional, constraints = options.optional,
    error = options.optional, seconds = options.optional, run_dir = options.optional, attributes = options.optional })
  if not ends[o.state] and o.state ~= "paused" then
    core.raise('store.finish: a state is "complete", "stopped", "failed" or "paused", got %s', tostring(o.state))
  end
  if o.state == "complete" and not o.values then core.raise "store.finish: a complete trial needs its values" end
  return self:write((o.seconds or 0) >= 1, function(again, emit)
    local _, _, change = self:hold(trial.study)
    local holds, state, claim = self:holds(trial)
    if again and not holds and state == o.state and claim == trial.claim then return true end       -- done, but we did not hear it
    if not holds then return false end
    if o.state ~= "paused" then
      self:settle(trial.study, trial.number, change, o, emit)
      return true
    end
    self.db:execute([[UPDATE trials SET state = 'paused', run_dir = $3, seconds = $4, change = $5, lease = NULL, lease_length = NULL
      WHERE study = $1 AND number = $2]], trial.study, trial.number, o.run_dir, o.seconds and json.number(o.seconds), change)
    emit { event = "pause", study = trial.study, number = trial.number, state = "paused", run_dir = o.run_dir, seconds = o.seconds }
    return true
  end)
end

-- release(trial) -> true, or false where it is no longer this worker's. Gives a running trial back, for the next that claims
-- one to go on with; this is no attempt that failed.
function Store:release(trial)
  return self:write(false, function(_, emit)
    local _, _, change = self:hold(trial.study)
    if not self:holds(trial) then return false end
    local attempts = self.db:first(("UPDATE trials SET claim = NULL, lease = %s, lease_length = 0, attempts = attempts - 1, change = $3 "
      .. "WHERE study = $1 AND number = $2 RETURNING attempts"):format(self.db.clock), trial.study, trial.number, change)
    emit { event = "release", study = trial.study, number = trial.number, attempts = tonumber(attempts), lease = 0, lease_length = 0 }
    return true
  end)
end

-- withdraw(trial) -> true, or false where it is no longer this worker's. Takes a claimed trial away that got no params, as
-- where a grid is used up.
function Store:withdraw(trial)
  return self:write(false, function(_, emit)
    local next_number = self:hold(trial.study)
    local holds, _, _, params = self:holds(trial)
    if not holds then return false end
    if params then
      core.raise("%s: trial %d has params: it cannot be withdrawn", self.name, trial.number)
    end
    self.db:execute("DELETE FROM trials WHERE study = $1 AND number = $2", trial.study, trial.number)
    if next_number == trial.number + 1 then self.db:execute("UPDATE studies SET next = $2 WHERE id = $1", trial.study, trial.number) end
    emit { event = "withdraw", study = trial.study, number = trial.number }
    return true
  end)
end

-- -- Deleting -----------------------------------------------------------------------------------------------------------

-- Within a transaction: refuses a study that somebody works on.
function Store:check_idle(id, name)
  local number, worker, left = self.db:first(("SELECT number, worker, lease - %s FROM trials WHERE study = $1 AND state = 'running' AND "
    .. "%s ORDER BY lease DESC LIMIT 1"):format(self.db.clock, self:alive()), id)
  if not number then return end
  core.raise("study '%s' is being worked on: trial %s is %s's for another %.0f s; end that first, or delete it with --force", name, number,
             worker or "somebody", tonumber(left))
end

-- delete(id[, force]) -> how many trials went with it. Takes a study away with all its trials; unless `force`, not while a worker's
-- lease lives. Runs' folders stay. Its id is never given again.
function Store:delete(id, force)
  return self:write(true, function(again, emit)
    local name = self.db:first("UPDATE studies SET change = change + 1 WHERE id = $1 RETURNING name", id)
    if not name and again then return 0 end          -- done, but we did not hear it
    if not name then self:no_study(id) end
    if not force then self:check_idle(id, name) end
    self.db:execute("DELETE FROM steps WHERE study = $1", id)
    local trials = #self.db:execute("DELETE FROM trials WHERE study = $1 RETURNING number", id)
    self.db:execute("DELETE FROM studies WHERE id = $1", id)
    emit { event = "delete", study = id, name = name }
    return trials
  end)
end

-- -- Exports ------------------------------------------------------------------------------------------------------------

-- export(id) -> list of lines of JSON (search/events.lua says of what kind): the study and all its trials.
function Store:export(id)
  local lines = {}
  for i, event in ipairs(events.of(self:study_by_id(id), (self:trials(id)))) do lines[i] = Journal.encode(event):sub(1, -2) end
  return lines
end

-- Within a transaction: the event "store".
function Store:everything()
  local identity, made = self.db:first "SELECT identity, made FROM exeunt_store"
  local event = { event = "store", identity = identity, made = tonumber(made), studies = json.list() }
  for i, study in ipairs(self:studies()) do
    event.studies[i] = { study = study.id, lines = events.of(study, self:trials(study.id), true) }
  end
  return event
end

-- exported(lines[, where]) -> the study that lines hold, which are what export gave. Raises where they are no such.
function Store.exported(lines, where)
  where = where or "import"
  local studies, about = events.read(lines, where)
  local ids = events.ids(studies)
  if about.unread > 0 then
    core.raise("%s: %d of its lines cannot be read as JSON: the file is damaged, or no export", where, about.unread)
  end
  if #ids ~= 1 then core.raise("%s: it holds %d studies: an export has one", where, #ids) end
  return studies[ids[1]]
end

-- Within a transaction: what is there of a study, to see whether it is the one that was written; nil: nothing.
function Store:imported(id)
  local row = self.db:execute("SELECT name, document, created FROM studies WHERE id = $1", id)[1]
  return row and table.concat(row, "\n")
end

-- import(study[, name]) -> the new study's id. study: what exported gave; name: another one for it.
function Store:import(study, name)
  study.name = name or study.name
  local id, written
  return self:write(true, function(again, emit)
    if self.db.server then self.db:execute "SELECT version FROM exeunt_store FOR UPDATE" end      -- one at a time
    if again and id and self:imported(id) == written then return id end             -- done, but we did not hear it
    if self.db:first("SELECT id FROM studies WHERE name = $1", study.name) then
      core.raise("%s: there is a study '%s' already: import it under another name (--as NAME)", self.name, study.name)
    end
    id = self:new_id()
    events.write(self.db, id, study)
    self.names[id], written = study.name, self:imported(id)
    emit { event = "import", study = id, name = study.name, lines = events.of(study, study.trials) }
    return id
  end)
end

return Store
