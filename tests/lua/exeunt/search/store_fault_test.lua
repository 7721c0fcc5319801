-- Stores under faults: several processes at once, killed in the middle of a transaction, a full disk, damaged and missing files,
-- and the journal that makes them anew.

local lu = require "luaunit"
local file = require "exeunt.file"
local command = dofile "tests/support/command.lua"
local support = dofile "tests/support/search_store.lua"
local Store = require "exeunt.search.store"
local rebuild = require "exeunt.search.rebuild"

local program = os.getenv "EXEUNT" or "./exeunt"

TestFaults = {}

function TestFaults:setUp() self.it = support.make() end
function TestFaults:tearDown() support.remove(self.it) end

-- Runs the script in n processes at once -> what they wrote to standard error, their exit codes' sum.
local function at_once(script, n, arguments)
  local line = ("for i in %s; do %s script %s w$i %s & pids=\"$pids $!\"; done; code=0; "
    .. "for p in $pids; do wait $p || code=1; done; exit $code"):format(
    table.concat({ "1", "2", "3", "4", "5", "6", "7", "8" }, " ", 1, n), program, script, arguments)
  return command.shell("(" .. line .. ")")
end

-- EXEUNT_EMPTY_TRIALS: how many (1000; the full form is 10000).
function TestFaults:test_eight_processes()
  local n = tonumber(os.getenv "EXEUNT_EMPTY_TRIALS" or "1000")
  local result = at_once(support.script(self.it, support.loop), 8, tostring(n))
  lu.assertEquals(result.err, "")
  lu.assertEquals(result.code, 0)
  local trials = self.it.store:trials(self.it.id)
  lu.assertNil(support.fault(trials, n))
  local workers = {}
  for _, trial in ipairs(trials) do
    lu.assertEquals(trial.attempts, 1)
    workers[trial.worker] = true
  end
  lu.assertTrue(next(workers, (next(workers))) ~= nil, "only one process worked")
  local journal = self.it.store.journal
  lu.assertEquals(#journal:lines(), 2 + 4 * n)
  lu.assertEquals(journal:last(), 2 + 4 * n)
end

-- A process that kills itself at a point of its k-th transaction; what is there afterwards is whole, and work goes on.
local dying = [[
local core, journal = require "exeunt.core", store.journal
core.ffi.cdef "int kill(int pid, int signal); int getpid(void);"
local function die() core.C.kill(core.C.getpid(), 9) end
local add, execute, count = journal.add, store.db.execute, 0
local point, when = arg[3], tonumber(arg[4])
store.journal.add = function(...)
  count = count + 1
  if point == "before" and count == when then die() end
  add(...)
  if point == "journal" and count == when then die() end
end
store.db.execute = function(db, sql, ...)
  local rows = execute(db, sql, ...)
  if point == "commit" and sql == "COMMIT" and count == when then die() end
  return rows
end
]] .. support.loop:gsub("lease = 600", "lease = 0")

function TestFaults:test_killed_in_a_transaction()
  local store, n = self.it.store, 0
  local script = support.script(self.it, dying)
  for _, point in ipairs { "before", "journal", "commit" } do
    for when = 1, 4 do                               -- in claim, propose, report, finish
      n = n + 3
      local result = command.shell(("%s script %s w %d %s %d"):format(program, script, n, point, when))
      lu.assertTrue(result.code ~= 0, "it was not killed")
      lu.assertEquals(store.db:first "PRAGMA integrity_check", "ok")
      result = command.shell(("%s script %s w %d never 0"):format(program, script, n))
      lu.assertEquals({ result.code, result.err }, { 0, "" })
      lu.assertNil(support.fault(store:trials(self.it.id), n))
    end
  end
  -- the journal holds the same, also where it was ahead when its process died
  local before = store:export(self.it.id)
  self:damage()
  rebuild(self.it.path)
  self.it.store = Store.open(self.it.path)
  lu.assertEquals(self.it.store:export(self.it.id), before)
end

function TestFaults:test_a_full_disk()
  local script = support.script(self.it, support.loop)
  local result = command.shell(("trap '' XFSZ; ulimit -f 4000; %s script %s w 100000"):format(program, script))
  lu.assertEquals(result.code, 1)
  lu.assertTrue(result.err:find("the disk is full: nothing was written", 1, true) ~= nil
                or result.err:find("s.db.jsonl: File too large", 1, true) ~= nil, result.err)
  local store = self.it.store
  lu.assertEquals(store.db:first "PRAGMA integrity_check", "ok")
  local n = #store:trials(self.it.id)
  lu.assertTrue(n > 10)
  store.db:execute "UPDATE trials SET lease = 0 WHERE state = 'running'"     -- its process is gone
  result = command.shell(("%s script %s v %d"):format(program, script, n + 5))
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertNil(support.fault(store:trials(self.it.id), n + 5))
end

-- Writes over pages in the middle of the file, as a failing disk does.
function TestFaults:damage()
  self.it.store:close()
  local handle = assert(io.open(self.it.path, "r+b"))
  handle:seek("set", 4096)
  handle:write(("\127damage\200"):rep(4096))
  handle:close()
end

function TestFaults:test_damage_is_refused_with_advice_and_rebuilt()
  support.complete(self.it, 50)
  local trial = self.it.store:claim(self.it.id, { worker = "w", lease = 0 })       -- its worker will be gone
  self.it.store:report(trial, 4, 1 / 3)
  local before = self.it.store:export(self.it.id)
  lu.assertErrorMsgContains("s.db: it is whole: there is nothing to rebuild", rebuild, self.it.path)
  self:damage()
  local ok, message = pcall(Store.open, self.it.path)
  lu.assertFalse(ok)
  lu.assertStrContains(message, "s.db: it is damaged (")
  lu.assertStrContains(message, ("`exeunt study rebuild --store %s` makes it anew"):format(self.it.path))
  local result = command.run("study rebuild --store " .. command.quote(self.it.path))
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertStrContains(result.out, "1 study, 51 trials; what was there is kept as " .. self.it.path .. ".damaged")
  self.it.store = Store.open(self.it.path)
  lu.assertEquals(self.it.store:export(self.it.id), before)
  support.complete(self.it, 1)                       -- it goes on, and so does its journal
  lu.assertEquals(self.it.store:trial(self.it.id, 50).attempts, 2)
  before = self.it.store:export(self.it.id)
  self:damage()
  rebuild(self.it.path)
  self.it.store = Store.open(self.it.path)
  lu.assertEquals(self.it.store:export(self.it.id), before)
end

function TestFaults:test_an_emptied_or_older_file_is_refused()
  support.complete(self.it, 2)
  self.it.store:close()
  local copy = self.it.path .. ".copy"
  os.execute(("cp %s %s"):format(self.it.path, copy))
  self.it.store = Store.open(self.it.path)
  support.complete(self.it, 2)
  self.it.store:close()
  os.execute(("cp %s %s"):format(copy, self.it.path))
  lu.assertErrorMsgContains("s.db: it is damaged: it has 8 of the 14 events of its journal; its journal holds", Store.open, self.it.path)
  os.remove(self.it.path)
  lu.assertErrorMsgContains("s.db, but its journal is there: `exeunt study rebuild", Store.open, self.it.path)
  lu.assertFalse(file.kind(self.it.path) ~= nil)     -- and no new one is begun
  command.write(self.it.path, "")
  lu.assertErrorMsgContains("it has 0 of the 14 events", Store.open, self.it.path)
  lu.assertEquals(rebuild(self.it.path).trials, 4)
  self.it.store = Store.open(self.it.path)
  lu.assertEquals(#self.it.store:trials(self.it.id), 4)
end

function TestFaults:test_removed_while_in_use()
  os.remove(self.it.path)
  lu.assertErrorMsgContains("s.db: it was removed or replaced while it was in use", self.it.store.claim, self.it.store, self.it.id,
                            { worker = "w" })
end

os.exit(lu.LuaUnit.run())
