-- Stores on a PostgreSQL server: the same as in a file, several processes at once, the server restarted in the middle, and what
-- is said where there is no server. Skipped where none can be started.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local postgres = dofile "tests/support/postgres.lua"
local support = dofile "tests/support/search_store.lua"
local Store = require "exeunt.search.store"

local program = os.getenv "EXEUNT" or "./exeunt"
local server, why = postgres.start()

TestServer = {}

function TestServer:setUp()
  if not server then lu.skip(why) end
  self.folder = command.folder()
  self.store = Store.open(server.address)
  self.count = (TestServer.count or 0) + 1
  TestServer.count = self.count
  self.id = self.store:create("s" .. self.count, { seed = 1, high = 0.1 + 0.2 })
end

function TestServer:tearDown()
  if self.store then self.store:close() end
  if self.folder then command.remove(self.folder) end
end

function TestServer:test_a_trials_life()
  local store = self.store
  lu.assertEquals(store:create("s" .. self.count, { seed = 1, high = 0.1 + 0.2 }), self.id)
  lu.assertErrorMsgContains("it is another one", store.create, store, "s" .. self.count, { seed = 2 })
  lu.assertEquals(store:study("s" .. self.count).document.high, 0.1 + 0.2)
  local trial = store:claim(self.id, { worker = "w", lease = 0 })
  lu.assertTrue(store:propose(trial, { x = 1 / 3 }, "key"))
  lu.assertTrue(store:report(trial, 1, 1 / 3))
  lu.assertTrue(store:report(trial, 1, 5))
  lu.assertTrue(store:report(trial, 2, 0 / 0))
  local again = store:claim(self.id, { worker = "v", lease = 60 })
  lu.assertEquals({ again.number, again.attempts, again.params, again.steps[1] }, { 0, 2, { x = 1 / 3 }, { 1, 1 / 3 } })
  lu.assertFalse(store:renew(trial, 60))
  lu.assertTrue(store:renew(again, 60))
  lu.assertTrue(store:release(again))
  again = store:claim(self.id, { worker = "u", lease = 60 })
  lu.assertEquals(again.attempts, 2)
  lu.assertTrue(store:finish(again, { state = "paused", run_dir = "r" }))
  again = store:claim(self.id, { worker = "u", promote = 0 })
  lu.assertTrue(store:finish(again, { state = "complete", values = { 1 / 3 }, seconds = 2 }))
  lu.assertFalse(store:finish(again, { state = "failed" }))
  local other = store:claim(self.id, { worker = "u", lease = 0 })
  lu.assertEquals({ other.number, other.seen }, { 1, 1 })
  local none, running = store:claim(self.id, { worker = "u", limit = 2, retries = 0 })
  lu.assertEquals({ none, running }, { nil, 0 })
  local trials, change = store:trials(self.id)
  lu.assertEquals({ trials[1].values, trials[2].error }, { { 1 / 3 }, "its worker died 1 time" })
  lu.assertEquals(store:trials(self.id, change), {})
  local new = store:claim(self.id, { worker = "u" })
  lu.assertTrue(store:withdraw(new))
  local id = store:import(Store.exported(store:export(self.id)), "copy" .. self.count)
  lu.assertEquals({ unpack(store:export(id), 2) }, { unpack(store:export(self.id), 2) })
end

-- The same study in a file and on a server has the same export.
function TestServer:test_the_same_as_a_file()
  support.complete(self, 20)
  local file = support.make { seed = 1, high = 0.1 + 0.2 }
  support.complete(file, 20)
  lu.assertEquals({ unpack(self.store:export(self.id), 2) }, { unpack(file.store:export(file.id), 2) })
  support.remove(file)
end

local function eight(self, limit, meanwhile)
  local script = support.script(self, support.loop, server.address)
  return command.shell(("(for i in 1 2 3 4 5 6 7 8; do %s script %s w$i %d & pids=\"$pids $!\"; done; code=0; %s\n"
    .. "for p in $pids; do wait $p || code=1; done; exit $code)"):format(program, script, limit, meanwhile or ""))
end

-- EXEUNT_EMPTY_TRIALS: how many (400; the full form is 10000).
function TestServer:test_eight_processes()
  local n = tonumber(os.getenv "EXEUNT_EMPTY_TRIALS" or "400")
  local result = eight(self, n)
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  local trials = self.store:trials(self.id)
  lu.assertNil(support.fault(trials, n))
  for _, trial in ipairs(trials) do lu.assertEquals(trial.attempts, 1) end
end

function TestServer:test_the_server_is_restarted()
  local wait = self.folder .. "/wait.lua"
  command.write(wait, ([[
local store = require("exeunt.search.store").open(%q)
local come, count, trials = {}, 0
repeat                                      -- until all eight have connected
  trials = store:trials(%d)
  for _, t in ipairs(trials) do
    if not come[t.worker] then come[t.worker], count = true, count + 1 end
  end
until count == 8 or #trials == 400]]):format(server.address, self.id))
  local restart = server:as(("cd %s && LC_ALL=C %s -D data -w -l log -m immediate restart >>log 2>&1"):format(server.folder,
                                                                                                         server.control))
  local result = eight(self, 400, ("%s script %s; %s; %s"):format(program, wait, restart, restart))
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertNil(support.fault(self.store:trials(self.id), 400))          -- this connection went too: it comes back by itself
end

function TestServer:test_the_schema_is_made_once()
  local name = "many" .. self.count
  self.store.db:execute("CREATE DATABASE " .. name)
  local address = server.address:gsub("/postgres%?", "/" .. name .. "?")
  local script = support.script(self, "store:close()", address)
  local result = command.shell(("(for i in 1 2 3 4 5 6; do %s script %s & pids=\"$pids $!\"; done; code=0\n"
    .. "for p in $pids; do wait $p || code=1; done; exit $code)"):format(program, script))
  lu.assertEquals({ result.code, result.err }, { 0, "" })
end

-- Another database of the server, with nothing in it.
function TestServer:database(name)
  self.store.db:execute("CREATE DATABASE " .. name .. self.count)
  return (server.address:gsub("/postgres%?", "/" .. name .. self.count .. "?"))
end

-- A lease is by the server's clock: what happens where that was set an hour on, and then back again.
function TestServer:test_a_clock_that_jumps()
  local store = self.store
  local function claim(o)
    return store:claim(self.id, { worker = "w", lease = o and o.lease or 60, limit = o and o.limit, retries = 9 })
  end
  local trial = claim()
  lu.assertEquals({ trial.number, claim().number }, { 0, 1 })
  local clock = store.db.clock
  store.db.clock = ("(%s + 3600)"):format(clock)       -- an hour ahead: both leases are over
  local taken = claim()
  lu.assertEquals({ taken.number, taken.attempts }, { 0, 2 })
  lu.assertFalse(store:renew(trial, 60))               -- whoever had it notices, and disturbs nobody
  lu.assertFalse(store:finish(trial, { state = "complete", values = { 1 } }))
  lu.assertEquals(claim().number, 1)
  store.db.clock = clock                               -- set back: leases that end an hour from now are nobody's
  local third = claim()
  lu.assertEquals({ third.number, third.attempts }, { 0, 3 })
  lu.assertTrue(store:finish(third, { state = "complete", values = { 1 } }))
  local fourth = claim()
  lu.assertEquals({ fourth.number, fourth.attempts }, { 1, 3 })
  lu.assertTrue(store:renew(fourth, 60))
  local none, running = claim { limit = 2 }            -- and those of now hold
  lu.assertEquals({ none, running }, { nil, 1 })
end

-- A password of the address is in no message and no document.
function TestServer:test_no_password_is_shown()
  local address = server.address .. "&password=secret"
  local store = Store.open(address)
  lu.assertEquals({ store.name, tostring(store) }, { server.address, "store " .. server.address })
  store:close()
  local result = command.run(("worker %s none"):format(command.quote(address)))
  lu.assertEquals({ result.code, result.out }, { 1, "" })
  lu.assertStrContains(result.err, server.address .. " holds no study 'none'")
  lu.assertNil(result.err:find "secret")
end

function TestServer:test_deleting()
  local store = self.store
  support.complete(self, 2)
  local trial = store:claim(self.id, { worker = "w" })
  lu.assertErrorMsgContains("is being worked on: trial 2 is w's for another 60 s", store.delete, store, self.id)
  lu.assertEquals(store:delete(self.id, true), 3)
  lu.assertErrorMsgContains("there is no study 's" .. self.count .. "' any more", store.report, store, trial, 1, 1)
  lu.assertEquals(store:create("s" .. self.count, { seed = 1 }) > self.id, true)
end

function TestServer:test_who_only_reads_makes_nothing()
  local address = self:database "bare"
  lu.assertErrorMsgContains("there is no store " .. address, Store.open, address, { make = false })
  local result = command.run("studies --store " .. command.quote(address))
  lu.assertEquals({ result.code, result.out }, { 1, "" })
  local db = require("exeunt.search.database").open(address)
  lu.assertEquals(db:first "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema()", "0")
  db:close()
end

function TestServer:test_a_store_of_an_earlier_version()
  local address = self:database "old"
  local schema = require "exeunt.search.schema"
  local latest = table.remove(schema.migrations)
  local db = require("exeunt.search.database").open(address)
  schema.prepare(db)
  table.insert(schema.migrations, latest)
  db:execute "INSERT INTO studies VALUES (4, 's', '{}', 5.5, 0, 0, 0)"
  db:close()
  local store = Store.open(address)
  lu.assertEquals({ store:create("t", {}), #store:identity() }, { 5, 32 })
  store:close()
end

function TestServer:test_a_newer_schema()
  local name = "newer" .. self.count
  self.store.db:execute("CREATE DATABASE " .. name)
  local address = server.address:gsub("/postgres%?", "/" .. name .. "?")
  local store = Store.open(address)
  store.db:execute "UPDATE exeunt_store SET version = 99"
  store:close()
  lu.assertErrorMsgContains("its schema has version 99", Store.open, address)
end

TestNoServer = {}

function TestNoServer.test_no_server_and_no_password_in_the_message()
  for address, said in pairs { ["postgresql://me:secret@localhost:1/db"] = "postgresql://me@localhost:1/db: ",
                               ["postgresql://localhost:1/db?password=secret&user=me"] = "postgresql://localhost:1/db?user=me: " } do
    local ok, message = pcall(Store.open, address)
    lu.assertFalse(ok)
    lu.assertStrContains(message, said)
    lu.assertNil(message:find "secret")
    lu.assertNil(message:find "\n")
  end
end

function TestNoServer.test_rebuild_is_for_files()
  local result = command.run "study rebuild --store postgresql:///x"
  lu.assertEquals(result.code, 2)
  lu.assertStrContains(result.err, "rebuild is for SQLite files")
end

local code = lu.LuaUnit.run()
if server then server:stop() end
os.exit(code)
