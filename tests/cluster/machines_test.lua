-- A search on two machines, which share nothing but a network and the PostgreSQL server on a third: network namespaces on one
-- bridge. Skipped where they cannot be made.

local lu = require "luaunit"
local sandbox = dofile "tests/support/sandbox.lua"
local why = sandbox.enter { { "setpriv", "util-linux" } }
local cluster = dofile "tests/support/cluster.lua"

local lab

-- What lasts no longer than a second without its worker; a server does not wait longer for one that is out of reach. LONG: a machine
-- that is slow loses no trial.
local LEASE, LONG = "--lease 1 --grace 1", "--lease 60 --grace 1"
local IMPATIENT = "?options=-c%20idle_in_transaction_session_timeout%3D1000"

TestMachines = {}

function TestMachines:setUp()
  if not lab and not why then lab, why = cluster.start() end
  if why then lu.skip(why) end
  self.runs = {}
end

function TestMachines:tearDown()
  for _, each in ipairs(self.runs) do each.run:free() end
  os.execute "for m in one two; do ip netns delete $m; ip link delete $m; done 2>/dev/null"
end

-- A machine of that name on the bridge.
local function plug(name, number)
  lu.assertEquals(os.execute(("ip netns add %s && ip link add %s type veth peer name eth0 netns %s && ip link set %s master lab up"
    .. " && ip -n %s addr add 10.77.0.%d/24 dev eth0 && ip -n %s link set eth0 up && ip -n %s link set lo up"):format(name, name, name,
    name, name, number, name, name)), 0)
end

local function on(name, line) return ("exec ip netns exec %s unshare --uts sh -c \"hostname %s; %s\""):format(name, name, line) end

-- A worker on that machine, in a folder of its own.
function TestMachines:worker(name, study, more, lease)
  local line = ("worker %s %s %s"):format(lab.address .. (more or ""), study, lease or LEASE)
  local run = lab:begin(lab:machine(name), on(name, lab:line(line)))
  self.runs[#self.runs + 1] = run
  return run
end

-- Two machines whose workers wait at the gate of a study.
function TestMachines:begin(study, lease)
  lab:study(study)
  plug("one", 11)
  plug("two", 12)
  local one, two = self:worker("one", study, IMPATIENT, lease), self:worker("two", study, IMPATIENT, lease)
  return one, two, lab:await_gate(study, 2)
end

local function assert_done(worker)
  local code = lab:await("a worker that is done", function() return worker.run:wait(0.1) end)
  lu.assertEquals(code, 0, worker.said())
end

local function machine_of(trial) return trial.worker:match "^(%a+):" end

function TestMachines:test_both_work()
  local one, two, waiting = self:begin("both", LONG)
  local names = { machine_of(waiting[1]), machine_of(waiting[2]) }
  table.sort(names)
  lu.assertEquals(names, { "one", "two" })
  lab:open_gate()
  assert_done(one)
  assert_done(two)
  for _, trial in ipairs(lab:assert_whole "both") do lu.assertEquals(trial.attempts, 1) end
end

function TestMachines:test_a_machine_dies()
  local one, two = self:begin "dies"
  os.execute "kill -9 $(ip netns pids one)"
  lab:await("the end of its worker", function() return one.run:wait(0.1) end)
  lab:open_gate()
  assert_done(two)
  for _, trial in ipairs(lab:assert_whole "dies") do
    if trial.number > 0 then lu.assertEquals(machine_of(trial), "two") end
  end
end

-- The cable is pulled; the other machine does all of the work; what comes back finds it done.
function TestMachines:test_a_machine_out_of_reach()
  local one, two = self:begin "cable"
  os.execute "ip link set one down"
  lab:open_gate()
  assert_done(two)
  local before = lab:assert_whole "cable"
  for _, trial in ipairs(before) do
    if trial.number > 0 then lu.assertEquals(machine_of(trial), "two") end
  end
  os.execute "ip link set one up"
  assert_done(one)
  lu.assertEquals(lab:assert_whole "cable", before)
end

-- The same in the middle of a transaction: what it holds is let go.
function TestMachines:test_a_machine_out_of_reach_holds_nothing()
  lab:study "held"
  plug("one", 11)
  local path = lab:machine "one"
  local file = assert(io.open(path .. "/hold.lua", "w"))
  file:write(([[
    local store = require("exeunt.search.store").open "%s"
    local id = store:study("held").id
    store.db:execute "BEGIN"
    store:hold(id)
    io.open("held", "w"):close()
    require("exeunt.child").sleep(1000)]]):format(lab.address .. IMPATIENT))
  file:close()
  self.runs[1] = lab:begin(path, on("one", lab:line "script hold.lua"))
  lab:await("a transaction", function() return io.open(path .. "/held") end)
  os.execute "ip link set one down"
  plug("two", 12)
  lab:open_gate()
  assert_done(self:worker("two", "held"))
  lab:assert_whole "held"
end

-- What the test above sets to a second is set for everybody.
function TestMachines.test_silence_is_noticed()
  local script = lab:machine "head" .. "/show.lua"
  local file = assert(io.open(script, "w"))
  file:write(([[
    local db = require("exeunt.search.database").open "%s"
    print(db:first "SHOW idle_in_transaction_session_timeout", (db:first "SHOW tcp_keepalives_idle"))]]):format(lab.address))
  file:close()
  local result = lab:shell(lab.folder, lab:line("script " .. script))
  lu.assertEquals({ result.code, result.out, result.err }, { 0, "30s\t10\n", "" })
end

function TestMachines.test_without_the_password()
  lab:study "closed"
  local result = lab:shell(lab:machine "head", ("PGPASSFILE=/none %s worker %s closed"):format(cluster.program, lab.address))
  lu.assertEquals(result.code, 1)
  lu.assertStrContains(result.err, "no password supplied")
  lu.assertEquals(select(2, result.err:gsub("\n", "")), 1, result.err)
end

local code = lu.LuaUnit.run()
if lab then lab:close() end
os.exit(code)
