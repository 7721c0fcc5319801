-- Stores of studies: claims, results, leases, what is refused; the same on PostgreSQL in store_server_test.lua.

local lu = require "luaunit"
local file = require "exeunt.file"
local Store = require "exeunt.search.store"
local support = dofile "tests/support/search_store.lua"

TestStore = {}

function TestStore:setUp() self.it = support.make() end
function TestStore:tearDown() support.remove(self.it) end

function TestStore:claim(given)
  local o = { worker = "w" }
  for k, v in pairs(given or {}) do o[k] = v end
  return self.it.store:claim(self.it.id, o)
end

function TestStore:test_studies()
  local store = self.it.store
  lu.assertEquals(store:create("s", { seed = 1 }), self.it.id)              -- the same again
  lu.assertErrorMsgContains("there is a study 's' already, and it is another one", store.create, store, "s", { seed = 2 })
  lu.assertErrorMsgContains("a study's name must be a text in one line", store.create, store, "a\nb", {})
  lu.assertErrorMsgContains("cannot be kept in a file", store.create, store, "f", { f = print })
  local document = { space = { lr = { low = 1e-4, high = 0.1 + 0.2 } }, points = { { lr = 1 } }, text = "ä\0\"\n" }
  lu.assertEquals(store:create("t", document), 2)
  lu.assertEquals(store:study("t").document, document)
  lu.assertNil(store:study "u")
  lu.assertEquals(#store:studies(), 2)
  lu.assertErrorMsgContains("there is no study with the id 9", store.trials, store, 9)
  lu.assertErrorMsgContains("there is no study with the id 9", store.claim, store, 9, { worker = "w" })
end

-- Where nobody may make a file, whoever they are.
function TestStore.test_a_folder_that_takes_no_file()
  local ok, why = pcall(Store.open, "/proc/none.db")
  lu.assertFalse(ok)
  lu.assertStrMatches(why, "/proc/none.db: it can be neither opened nor made there: .+; %-%-store says where another is to lie")
end

function TestStore:test_a_trials_life()
  local store = self.it.store
  local trial = self:claim()
  lu.assertEquals({ trial.number, trial.seen, trial.state, trial.attempts, trial.params }, { 0, 0, "running", 1, nil })
  lu.assertTrue(store:propose(trial, { lr = 0.1 + 0.2, widths = { 16, 32 }, name = "a", on = true }, "key"))
  lu.assertTrue(store:propose(trial, { lr = 0.1 + 0.2, widths = { 16, 32 }, name = "a", on = true }, "key"))
  lu.assertErrorMsgContains("trial 0 has params already", store.propose, store, trial, { lr = 1 })
  lu.assertTrue(store:report(trial, 1, 1 / 3))
  lu.assertTrue(store:report(trial, 1, 7))                                  -- the first value stays
  lu.assertTrue(store:report(trial, 2, 0 / 0))
  lu.assertErrorMsgContains("a step is a whole number", store.report, store, trial, 1.5, 0)
  lu.assertTrue(store:renew(trial, 60))
  lu.assertTrue(store:finish(trial, { state = "complete", values = { 1 / 3, -1e-300 }, constraints = { 0 }, seconds = 0.25,
                                      run_dir = "r", attributes = { recipe = "abc" } }))
  lu.assertFalse(store:finish(trial, { state = "failed", error = "late" }))
  lu.assertFalse(store:report(trial, 3, 1))
  lu.assertFalse(store:renew(trial, 60))
  lu.assertFalse(store:propose(trial, { lr = 2 }))
  local t = store:trials(self.it.id)[1]
  lu.assertEquals(t.params, { lr = 0.1 + 0.2, widths = { 16, 32 }, name = "a", on = true })
  lu.assertEquals({ t.values, t.constraints, t.seconds, t.run_dir, t.attributes, t.finish, t.state, t.error },
                  { { 1 / 3, -1e-300 }, { 0 }, 0.25, "r", { recipe = "abc" }, 1, "complete", nil })
  lu.assertEquals(t.steps[1], { 1, 1 / 3 })
  lu.assertEquals(t.steps[2][1], 2)
  lu.assertNotEquals(t.steps[2][2], t.steps[2][2])
end

function TestStore:test_what_finish_refuses()
  local store, trial = self.it.store, self:claim()
  lu.assertErrorMsgContains('a state is "complete"', store.finish, store, trial, { state = "done" })
  lu.assertErrorMsgContains("a complete trial needs its values", store.finish, store, trial, { state = "complete" })
  local nan = math.abs(0 / 0)
  lu.assertErrorMsgContains("values.1: nan cannot be kept", store.finish, store, trial, { state = "complete", values = { nan } })
  lu.assertErrorMsgContains("did you mean 'values'?", store.finish, store, trial, { state = "complete", vales = { 1 } })
  lu.assertTrue(store:finish(trial, { state = "failed", error = "nothing of that was kept" }))
end

function TestStore:test_seen_and_limit()
  local store = self.it.store
  local a, b = self:claim(), self:claim()
  lu.assertEquals({ a.number, a.seen, b.number, b.seen }, { 0, 0, 1, 0 })
  store:finish(b, { state = "failed" })
  local c = self:claim { limit = 3 }
  lu.assertEquals({ c.number, c.seen }, { 2, 1 })
  local none, running = self:claim { limit = 3 }
  lu.assertNil(none)
  lu.assertEquals(running, 2)
end

function TestStore:test_only_what_changed()
  local store = self.it.store
  support.complete(self.it, 3)
  local list, change = store:trials(self.it.id)
  lu.assertEquals(#list, 3)
  lu.assertEquals(store:trials(self.it.id, change), {})
  local trial = self:claim()
  store:report(trial, 1, 5)
  local changed, later = store:trials(self.it.id, change)
  lu.assertEquals({ #changed, changed[1].number, changed[1].steps }, { 1, 3, { { 1, 5 } } })
  store:report(trial, 2, 6)
  lu.assertEquals(store:trials(self.it.id, later)[1].steps, { { 1, 5 }, { 2, 6 } })
end

-- A lease of 0 seconds is over at once: its worker counts as dead.
-- Looking for what is new reads what is new: no statement goes through all trials or all steps of a study.
function TestStore:test_news_are_found_by_an_index()
  local store, plans = self.it.store, {}
  store:finish(self:claim(), { state = "complete", values = { 1 } })
  local read = store.read
  function store.read(it, sql, ...)
    for _, row in ipairs(read(it, "EXPLAIN QUERY PLAN " .. sql, ...)) do plans[#plans + 1] = row[4] end
    return read(it, sql, ...)
  end
  store:trials(self.it.id, 0)
  store.read = nil
  lu.assertTrue(#plans >= 4)                -- the study, its trials, their steps
  for _, plan in ipairs(plans) do
    lu.assertNil(plan:find "SCAN", plan)
    lu.assertNil(plan:find "%(study=%?%)$", plan)
  end
end

function TestStore:test_a_dead_workers_trial_is_taken_up()
  local store = self.it.store
  local first = self:claim { lease = 0 }
  store:propose(first, { x = 1 })
  store:report(first, 1, 9)
  local second = self:claim { worker = "v", lease = 0 }
  lu.assertEquals({ second.number, second.attempts, second.worker, second.params, second.steps, second.seen },
                  { 0, 2, "v", { x = 1 }, { { 1, 9 } }, 0 })
  lu.assertFalse(store:renew(first, 60))
  lu.assertFalse(store:report(first, 2, 9))
  lu.assertFalse(store:finish(first, { state = "complete", values = { 1 } }))
  local third = self:claim { retries = 1 }          -- the second died too: that was one retry
  lu.assertEquals(third.number, 1)
  local t = store:trial(self.it.id, 0)
  lu.assertEquals({ t.state, t.error, t.finish }, { "failed", "its worker died 2 times", 1 })
  lu.assertEquals(third.seen, 1)
end

function TestStore:test_a_clock_that_was_set_back()
  local store = self.it.store
  self:claim { lease = 60 }
  lu.assertEquals(self:claim({ lease = 60 }).number, 1)
  store.db:execute "UPDATE trials SET lease = lease + 3600 WHERE number = 0"    -- as if claimed an hour from now
  lu.assertEquals(self:claim({ lease = 60 }).number, 0)
end

function TestStore:test_pause_and_promote()
  local store = self.it.store
  local trial = self:claim()
  store:propose(trial, { x = 1 })
  store:report(trial, 1, 9)
  lu.assertTrue(store:finish(trial, { state = "paused", run_dir = "r", seconds = 3 }))
  lu.assertFalse(store:renew(trial, 60))
  lu.assertEquals(self:claim().number, 1)           -- nobody promotes it
  local again = self:claim { promote = 0 }
  lu.assertEquals({ again.number, again.attempts, again.state, again.seconds, again.run_dir, again.steps },
                  { 0, 1, "running", 3, "r", { { 1, 9 } } })
  lu.assertEquals(self:claim({ promote = 0 }).number, 2)    -- it runs: another promotion of it is none
  lu.assertTrue(store:finish(again, { state = "stopped", values = { 9 } }))
  lu.assertEquals(self:claim({ promote = 0 }).number, 3)
end

function TestStore:test_release_and_withdraw()
  local store = self.it.store
  local trial = self:claim()
  lu.assertTrue(store:release(trial))
  lu.assertFalse(store:renew(trial, 60))
  local again = self:claim()
  lu.assertEquals({ again.number, again.attempts }, { 0, 1 })
  lu.assertTrue(store:withdraw(again))
  lu.assertNil(store:trial(self.it.id, 0))
  trial = self:claim()
  lu.assertEquals(trial.number, 0)
  store:propose(trial, { x = 1 })
  lu.assertErrorMsgContains("trial 0 has params: it cannot be withdrawn", store.withdraw, store, trial)
end

function TestStore:test_addresses()
  lu.assertErrorMsgContains("expected a file or postgresql://", Store.open, "")
  lu.assertErrorMsgContains("cannot make folder", Store.open, self.it.path .. "/x/s.db")
  self.it.store:close()
  lu.assertErrorMsgContains("is closed", self.it.store.studies, self.it.store)
  lu.assertEquals(tostring(self.it.store), "store " .. self.it.path)
end

function TestStore:test_another_file()
  local path = self.it.folder .. "/other.db"
  local Database = require "exeunt.search.database"
  local db = Database.open(path)
  db:execute "CREATE TABLE birds (name TEXT)"
  db:close()
  lu.assertErrorMsgContains("other.db: an SQLite file, but not a store of studies", Store.open, path)
end

function TestStore:test_a_newer_schema()
  self.it.store.db:execute "UPDATE exeunt_store SET version = 99"
  lu.assertErrorMsgContains("its schema has version 99, this exeunt knows versions up to", Store.open, self.it.path)
end

-- A server that goes away in the middle of a claim takes all of it back: it is done again, not gone on with.
function TestStore:test_a_read_within_a_transaction_does_not_reconnect()
  local store = self.it.store
  local dead = self:claim { lease = 0 }
  local execute, struck = store.db.execute, false
  store.db.execute = function(db, sql, ...)
    if struck or not sql:find "^SELECT number, state" then return execute(db, sql, ...) end
    struck = true
    execute(db, "ROLLBACK")
    db.failure = require("exeunt.core").C.EX_STORE_LOST
    error("gone", 0)
  end
  local trial = self:claim { lease = 60 }
  store.db.execute = nil
  lu.assertTrue(struck)
  lu.assertEquals({ trial.number, trial.attempts }, { dead.number, 2 })
  lu.assertTrue(store:renew(trial, 60))
end

-- Another document, if no trial has changed since, and nobody is at work.
function TestStore:test_amend()
  local store, id = self.it.store, self.it.id
  local _, counter = store:trials(id)
  lu.assertTrue(store:amend(id, counter, { seed = 2 }))
  lu.assertEquals(store:study("s").document, { seed = 2 })
  lu.assertFalse(store:amend(id, counter, { seed = 3 }))
  local trial = self:claim { lease = 60 }
  _, counter = store:trials(id)
  lu.assertErrorMsgContains("somebody works on its trial 0, or did a moment ago: end that first", store.amend, store, id, counter, {})
  store:release(trial)
  _, counter = store:trials(id)
  lu.assertTrue(store:amend(id, counter, { seed = 4 }))
  lu.assertEquals(store:study("s").document, { seed = 4 })
  self:claim { lease = 60 }
  store.db:execute "UPDATE trials SET lease = lease + 100000"         -- as after the machine's restart: its clock begins at 0
  _, counter = store:trials(id)
  lu.assertTrue(store:amend(id, counter, { seed = 5 }))
end

function TestStore:test_export_and_import()
  local store = self.it.store
  support.complete(self.it, 5)
  local trial = self:claim()
  store:report(trial, 3, 0 / 0)
  local lines = store:export(self.it.id)
  lu.assertEquals(#lines, 7)
  lu.assertErrorMsgContains("there is a study 's' already: import it under another name", store.import, store, Store.exported(lines))
  local id = store:import(Store.exported(lines), "t")
  local copy = store:export(id)
  lu.assertEquals({ unpack(copy, 2) }, { unpack(lines, 2) })
  lu.assertEquals(store:study("t").document, store:study("s").document)
  local taken = store:claim(id, { worker = "w" })   -- nobody runs what ran where it came from
  lu.assertEquals({ taken.number, taken.attempts }, { 5, 2 })
  lu.assertErrorMsgContains("1 of its lines cannot be read as JSON", Store.exported, { lines[1], "{" })
  lu.assertErrorMsgContains("it holds 0 studies", Store.exported, {})
  lu.assertErrorMsgContains("f: line 2: an unknown event, fly", Store.exported, { lines[1], '{"event": "fly"}' }, "f")
end

-- The n-th COMMIT is done, but its answer is lost.
local function lose_answer(store, n)
  local execute, count = store.db.execute, 0
  store.db.execute = function(db, sql, ...)
    local rows = execute(db, sql, ...)
    if sql ~= "COMMIT" then return rows end
    count = count + 1
    if count < n then return rows end
    store.db.execute = nil
    db.failure = require("exeunt.core").C.EX_STORE_LOST
    error("gone", 0)
  end
end

function TestStore:test_a_lost_answer_is_no_second_study()
  local store = self.it.store
  support.complete(self.it, 2)
  local lines = store:export(self.it.id)
  lose_answer(store, 1)
  lu.assertEquals(store:create("new", { seed = 2 }), 2)
  lose_answer(store, 1)
  local id = store:import(Store.exported(lines), "copy")
  lu.assertEquals(id, 3)
  lu.assertNil(rawget(store.db, "execute"))          -- both were lost
  lu.assertEquals({ unpack(store:export(id), 2) }, { unpack(lines, 2) })
  lu.assertEquals(#store:studies(), 3)
  lu.assertErrorMsgContains("there is a study 'copy' already", store.import, store, Store.exported(lines), "copy")
end

-- The first try was not committed, and another's study has the name and the id since: that is not ours.
function TestStore:test_an_answer_of_another()
  local store = self.it.store
  local lines = store:export(self.it.id)
  local execute = store.db.execute
  store.db.execute = function(db, sql, ...)
    if sql ~= "COMMIT" then return execute(db, sql, ...) end
    store.db.execute = nil
    db:execute "ROLLBACK"
    local other = Store.open(self.it.path)
    lu.assertEquals(other:create("copy", { seed = 9 }), 2)
    other:close()
    db.failure = require("exeunt.core").C.EX_STORE_LOST
    error("gone", 0)
  end
  lu.assertErrorMsgContains("there is a study 'copy' already", store.import, store, Store.exported(lines), "copy")
end

-- Somebody who only reads makes nothing: no store, no folder, no tables in a file that is another's.
function TestStore:test_nothing_is_made_where_one_reads()
  local path = self.it.folder .. "/none/s.db"
  lu.assertErrorMsgContains(("there is no store %s: `exeunt search STUDY` makes one"):format(path), Store.open, path, { make = false })
  lu.assertNil(file.kind(self.it.folder .. "/none"))
  path = self.it.folder .. "/empty.db"
  file.write(path, "")
  lu.assertErrorMsgContains("there is no store", Store.open, path, { make = false })
  lu.assertEquals(file.stat(path), 0)
  lu.assertErrorMsgContains("is a folder: a store is a file in one", Store.open, self.it.folder)
  lu.assertErrorMsgContains("s.db.jsonl is a journal or an export, no store: name " .. self.it.path, Store.open, self.it.path .. ".jsonl")
  lu.assertErrorMsgContains("no kind of store is called 'posgresql'", Store.open, "posgresql://h/x")
  lu.assertNil(file.kind "posgresql:")
  local store = Store.open(self.it.path, { make = false })
  lu.assertEquals(#store:studies(), 1)
  store:close()
end

-- -- Deleting ---------------------------------------------------------------------------------------------------------------

function TestStore:test_a_study_is_deleted_whole()
  local store = self.it.store
  store:create("t", { seed = 2 })
  support.complete(self.it, 3)
  local trial = self:claim()
  store:report(trial, 1, 5)
  lu.assertErrorMsgMatches(".*study 's' is being worked on: trial 3 is w's for another %d+ s; end that first, or delete it with %-%-force",
                           store.delete, store, self.it.id)
  lu.assertEquals(#store:trials(self.it.id), 4)
  lu.assertEquals(store:delete(self.it.id, true), 4)
  lu.assertNil(store:study "s")
  lu.assertEquals({ store.db:first "SELECT (SELECT COUNT(*) FROM trials), (SELECT COUNT(*) FROM steps)" }, { "0", "0" })
  lu.assertErrorMsgContains("there is no study 's' any more: was it deleted?", store.delete, store, self.it.id)
  lu.assertErrorMsgContains("there is no study 's' any more", store.report, store, trial, 2, 5)      -- whoever still works on it ends
  lu.assertEquals(store:delete(2), 0)
  lu.assertEquals(store:create("s", { seed = 1 }), 3)            -- its id is another's never
end

function TestStore:test_leases_that_are_over_do_not_keep_a_study()
  self:claim { lease = 60 }
  self:claim { lease = 0 }
  self.it.store.db:execute "UPDATE trials SET lease = lease + 3600 WHERE number = 0"    -- a clock that was set back
  lu.assertEquals(self.it.store:delete(self.it.id), 2)
end

os.exit(lu.LuaUnit.run())
