-- Workers started by mpirun, which need to know nothing of each other. Skipped where there is no Open MPI.

local lu = require "luaunit"
local sandbox = dofile "tests/support/sandbox.lua"
local why = sandbox.enter { { "mpirun", "openmpi-bin" } }
local cluster = dofile "tests/support/cluster.lua"

local lab

local function line(study, more)
  return ("export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PGPASSFILE=%s; exec mpirun --oversubscribe -n 2 %s %s "
    .. "worker %s %s --threads 1 --lease 1 --grace 1"):format(lab.pass, more or "", cluster.program, lab.address, study)
end

TestMpi = {}

function TestMpi:setUp()
  if not lab and not why then lab, why = cluster.start() end
  if why then lu.skip(why) end
end

function TestMpi:tearDown()
  if self.mpi then self.mpi.run:free() end
end

function TestMpi:begin(study, more)
  lab:study(study)
  self.mpi = lab:begin(lab:machine "one", line(study, more))
  return lab:await_gate(study, 2)
end

function TestMpi:ended() return lab:await("the end of mpirun", function() return self.mpi.run:wait(0.1) end) end

function TestMpi:test_two_workers()
  local waiting = self:begin "both"
  lu.assertNotEquals(waiting[1].worker, waiting[2].worker)
  lab:open_gate()
  lu.assertEquals(self:ended(), 0, self.mpi.said())
  lab:assert_whole "both"
end

-- Where one is killed mpirun ends the others, too; the same command goes on.
function TestMpi:test_one_is_killed()
  local waiting = self:begin "killed"
  os.execute("kill -9 " .. waiting[1].worker:match ":(%d+)$")
  lu.assertNotEquals(self:ended(), 0)
  lab:open_gate()
  local result = lab:shell(lab:machine "one", line "killed")
  lu.assertEquals(result.code, 0, result.err)
  lab:assert_whole "killed"
end

-- Unless it is told not to.
function TestMpi:test_one_is_killed_and_the_other_goes_on()
  local waiting = self:begin("going", "--enable-recovery")
  os.execute("kill -9 " .. waiting[1].worker:match ":(%d+)$")
  lab:open_gate()
  self:ended()
  lab:assert_whole "going"
end

local code = lu.LuaUnit.run()
if lab then lab:close() end
os.exit(code)
