-- Stores made anew from their journals: what was there is kept, journals that lack events are refused, and a trial that somebody
-- asked for stays whose it is.

local lu = require "luaunit"
local file = require "exeunt.file"
local command = dofile "tests/support/command.lua"
local support = dofile "tests/support/search_store.lua"
local Store = require "exeunt.search.store"
local rebuild = require "exeunt.search.rebuild"

TestRebuild = {}

function TestRebuild:setUp()
  self.it = support.make()
  self.say, self.said = Store.say, {}
  Store.say = function(text) self.said[#self.said + 1] = text end
end

function TestRebuild:tearDown()
  Store.say = self.say
  support.remove(self.it)
end

-- Makes the file one that is no database; with `change`, the journal's lines are changed too.
function TestRebuild:harm(change)
  local path = self.it.path .. ".jsonl"
  local lines = self.it.store.journal:lines()
  self.it.store:close()
  command.write(self.it.path, "junk " .. ("x"):rep(5000))
  if not change then return end
  change(lines)
  command.write(path, table.concat(lines, "\n") .. "\n")
end

function TestRebuild:run(arguments)
  return command.run(("study rebuild --store %s %s"):format(command.quote(self.it.path), arguments or ""))
end

function TestRebuild:reopen() self.it.store = Store.open(self.it.path) end

function TestRebuild:test_what_was_there_is_kept_each_time()
  support.complete(self.it, 2)
  local before = self.it.store:export(self.it.id)
  for _, name in ipairs { "s.db.damaged", "s.db.damaged-2", "s.db.damaged-3" } do
    self:harm()
    local r = self:run()
    lu.assertEquals({ r.code, r.err }, { 0, "" })
    local kept = self.it.folder .. "/" .. name
    lu.assertStrContains(r.out, "1 study, 2 trials; what was there is kept as " .. kept .. "\n")
    lu.assertStrContains(command.read(kept), "junk x")
    self:reopen()
    lu.assertEquals(self.it.store:export(self.it.id), before)
  end
end

-- Its file stays: whoever waits with the file open, and whoever makes a new one, would both have the lock.
function TestRebuild:test_one_at_a_time()
  support.complete(self.it, 1)
  self:harm()
  local lock = file.lock_beside(self.it.path)
  lu.assertStrContains(self:run().err, ".s.db.lock is locked: process ")
  lu.assertStrContains(command.read(self.it.path), "junk x")
  lock:free()
  lu.assertEquals(self:run().code, 0)
  lu.assertEquals(file.kind(self.it.folder .. "/.s.db.lock"), "file")
  self:reopen()
end

function TestRebuild:test_a_journal_that_lacks_events()
  support.complete(self.it, 4)
  self:harm(function(lines)                          -- all of trial 1, and the end of trial 2
    table.remove(lines, 11)
    for _ = 1, 3 do table.remove(lines, 6) end
  end)
  local r = self:run()
  lu.assertEquals({ r.code, r.out }, { 1, "" })
  lu.assertStrContains(r.err, "s.db.jsonl: it lacks 4 of its 14 events (the first: number 6): 1 trial would be missing, and others "
    .. "unfinished; look for a copy of it, or take what it has with --partial")
  lu.assertStrContains(command.read(self.it.path), "junk x")        -- nothing was touched
  r = self:run "--partial"
  lu.assertStrContains(r.out, "1 study, 3 trials; 4 events are lost, with them at least 1 trial; what was there is kept")
  lu.assertStrContains(r.err, "lacked 4 of 14 events (the first: number 6); all that the store holds is written to it again")
  self:reopen()
  lu.assertEquals(self.said, {})
  local states = {}
  for _, trial in ipairs((self.it.store:trials(self.it.id))) do states[trial.number] = trial.state end
  lu.assertEquals(states, { [0] = "complete", [2] = "running", [3] = "complete" })
  self:harm()                                        -- what is left is whole from now on
  lu.assertEquals(rebuild(self.it.path).lacks, 0)
  self:reopen()
end

function TestRebuild:test_a_journal_without_its_beginning()
  support.complete(self.it, 2)
  self:harm(function(lines)
    table.remove(lines, 1)
    table.remove(lines, 1)
  end)
  for _, arguments in ipairs { "", "--partial" } do
    local r = self:run(arguments)
    lu.assertEquals(r.code, 1)
    lu.assertStrContains(r.err, "it lacks 2 of its 8 events (the first: number 1): 0 trials would be missing, and others unfinished; no "
      .. "study is left in it: look for a copy of it")
  end
end

-- A line that was torn when its process was killed, its event given again, is nothing that is lost; one at the end may be.
function TestRebuild:test_lines_that_cannot_be_read()
  support.complete(self.it, 2)
  self:harm(function(lines)
    table.insert(lines, 5, lines[5]:sub(1, 20))
    lines[#lines] = lines[#lines]:sub(1, 20)
  end)
  local r = rebuild(self.it.path)
  lu.assertEquals({ r.trials, r.unread, r.lacks }, { 2, 2, 0 })
  self:reopen()
  local trials = self.it.store:trials(self.it.id)
  lu.assertEquals({ trials[1].state, trials[2].state }, { "complete", "running" })
end

-- A trial that was asked for is not given to another, and what came of it can be told.
function TestRebuild:test_a_trial_that_was_asked_for()
  support.complete(self.it, 1)
  local store = self.it.store
  local asked = store:claim(self.it.id, { worker = "ask", lease = 86400 })
  store:propose(asked, { x = 1 })
  local dead = store:claim(self.it.id, { worker = "dead", lease = 0 })
  self:harm()
  rebuild(self.it.path)
  self:reopen()
  store = self.it.store
  lu.assertEquals(store:claim(self.it.id, { worker = "w", lease = 60 }).number, dead.number)
  lu.assertEquals(store:claim(self.it.id, { worker = "w", lease = 60 }).number, 3)
  local trial = store:trial(self.it.id, asked.number)
  lu.assertEquals({ trial.worker, trial.attempts, trial.lease_length }, { "ask", 1, 86400 })
  lu.assertAlmostEquals(trial.lease, asked.lease, 1e-3)
  lu.assertTrue(store:finish(trial, { state = "complete", values = { 1 } }))
end

function TestRebuild:test_what_tells_a_store_from_another_stays()
  local store = self.it.store
  store:delete(store:create("t", {}))
  local identity = store:identity()
  for _ = 1, 2 do
    self:harm()
    rebuild(self.it.path)
    self:reopen()
    lu.assertEquals(self.it.store:identity(), identity)
    os.remove(self.it.path .. ".jsonl")              -- the second time from a journal that was begun anew
    self.it.store:close()
    self:reopen()
  end
  lu.assertEquals(self.it.store:create("t", {}), 3)
  lu.assertEquals(#self.said, 2)
end

-- Somebody is still at work on the damaged file, and commits an event while it is moved aside.
function TestRebuild:test_while_it_is_in_use()
  support.complete(self.it, 2)
  self:harm()
  local rename, late = os.rename, false
  os.rename = function(...)                          -- luacheck: ignore 122
    if not late then
      local journal = assert(io.open(self.it.path .. ".jsonl", "a"))
      journal:write('{"seq": 9, "event": "claim", "study": 1, "number": 2, "state": "running", "seen": 2, "worker": "late"}\n',
                    '{"seq": 10, "event": "report", "study": 1, "number": 2, "step": 1, "value": 0.5}\n')
      journal:close()
    end
    late = true
    return rename(...)
  end
  local ok, r = pcall(rebuild, self.it.path)
  os.rename = rename                                 -- luacheck: ignore 122
  lu.assertTrue(ok, r)
  lu.assertEquals({ r.trials, r.kept }, { 3, self.it.path .. ".damaged" })
  self:reopen()
  lu.assertEquals(self.it.store:trial(self.it.id, 2).steps, { { 1, 0.5 } })
end

function TestRebuild:test_what_it_refuses()
  local r = self:run()
  lu.assertEquals({ r.code, r.out }, { 1, "" })
  lu.assertStrContains(r.err, "s.db: it is whole: there is nothing to rebuild")
  self.it.store.db:execute "UPDATE exeunt_store SET version = 99"
  lu.assertStrContains(self:run().err, "use a newer exeunt; this is no damage: ")
  lu.assertEquals(file.kind(self.it.path), "file")
  self:harm()
  os.remove(self.it.path .. ".jsonl")
  lu.assertStrContains(self:run().err, "s.db.jsonl is not there")
  os.remove(self.it.path)
  lu.assertStrContains(self:run().err, "there is no store " .. self.it.path .. ", nor its journal ")
  lu.assertNil(file.kind(self.it.path))
  lu.assertEquals(self:run("x").code, 2)
  command.write(self.it.path .. ".jsonl", "")
  lu.assertStrContains(command.run("study rebuild --store " .. self.it.path .. ".jsonl").err, "s.db.jsonl is a journal or an export")
end

os.exit(lu.LuaUnit.run())
