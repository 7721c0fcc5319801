-- Workers as an array of Slurm jobs by recipes/slurm/search.sh: a controller and a node on this machine, whose jobs are cancelled and
-- requeued in the middle of trials. Skipped where Slurm is not installed.

local lu = require "luaunit"
local sandbox = dofile "tests/support/sandbox.lua"
local why = sandbox.enter { { "slurmctld", "slurmctld" }, { "slurmd", "slurmd" }, { "sbatch", "slurm-client" } }
local command = dofile "tests/support/command.lua"
local file = require "exeunt.file"
local cluster = dofile "tests/support/cluster.lua"
local system = require "exeunt.system"

-- Nobody is authenticated: it can be reached from nowhere. A job that was requeued begins again after the credentials' time.
local CONF = [[
ClusterName=lab
SlurmctldHost=HOST(ADDRESS)
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=FOLDER
SlurmdSpoolDir=FOLDER/spool
SlurmctldPidFile=FOLDER/slurmctld.pid
SlurmdPidFile=FOLDER/slurmd.pid
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
KillWait=5
NodeName=HOST NodeAddr=ADDRESS CPUs=3
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
]]

local lab, daemons

-- slurm(line) -> what a command of Slurm's prints.
local function slurm(line)
  local result = lab:shell(lab:machine "node", ("SLURM_CONF=%s/slurm.conf PGPASSFILE=%s EXEUNT=%s %s"):format(lab.folder, lab.pass,
                                                                                                         cluster.program, line))
  return result.out, result.err, result.code
end

-- Starts the controller and the node; nil and why not.
local function start()
  local made, reason = cluster.start()
  if not made then return nil, reason end
  lab = made
  os.execute(("mkdir %s/spool"):format(lab.folder))
  command.write(lab.folder .. "/slurm.conf", (CONF:gsub("%u%u%u%u+", { HOST = sandbox.host, ADDRESS = sandbox.address,
                                                                             FOLDER = lab.folder })))
  daemons = {}
  for i, line in ipairs { "slurmctld -D", "slurmd -D -N " .. sandbox.host } do
    daemons[i] = lab:begin(lab:machine "node", ("SLURM_CONF=%s/slurm.conf exec %s"):format(lab.folder, line))
  end
  lab:await("an idle node", function() return slurm "sinfo -h -o %T 2>/dev/null":find "idle" end)
  return true
end

TestSlurm = {}

function TestSlurm.setUp()
  if not lab and not why then
    local ok, reason = start()
    why = not ok and reason or nil
  end
  if why then lu.skip(why) end
end

-- Submits workers on one core each; the array's number.
local function submit(array, study)
  local out, err = slurm(("sbatch --parsable --array=%s --cpus-per-task=1 %s/recipes/slurm/search.sh %s %s --lease 1 --grace 2"):format(
    array, system.folder(), lab.address, study))
  return out:match "^%d+" or lu.fail("sbatch: " .. err)
end

-- How many jobs there are, in that state or in any.
local function jobs(state)
  local _, count = slurm("squeue -h -r " .. (state and "-t " .. state or "")):gsub("\n", "")
  return count
end

local function log(job, slot) return file.read(("%s/slurm-%s-%d.out"):format(lab:machine "node", job, slot)) end

-- The trial that the job of that slot has.
local function of_slot(trials, slot)
  for _, trial in ipairs(trials) do
    if trial.worker:find(("worker %d lab:"):format(slot), 1, true) then return trial end
  end
  lu.fail("no trial of worker " .. slot)
end

function TestSlurm.test_an_array_of_which_jobs_are_cancelled_and_requeued()
  lab:study "array"
  local job = submit("1-3", "array")
  local waiting = lab:await_gate("array", 3)
  local cancelled, requeued = of_slot(waiting, 2), of_slot(waiting, 3)

  slurm(("scancel %s_2"):format(job))       -- ends its trial with a checkpoint, and gives it back: no attempt that failed
  lab:await("a cancelled job", function() return jobs() == 2 end)
  lu.assertStrContains(log(job, 2), "stopped by SIGTERM; the trial goes on with the next worker")
  slurm(("scontrol requeue %s_3"):format(job))
  lab:await("a job that is pending", function() return jobs "PENDING" == 1 end)
  submit("2", "array")                      -- the same again for what was cancelled
  lab:open_gate()
  lab:await("no more jobs", function() return jobs() == 0 end)

  local trials = lab:assert_whole "array"
  lu.assertEquals(trials[cancelled.number + 1].attempts, 1)
  lu.assertTrue(trials[requeued.number + 1].attempts <= 2)
  lu.assertStrContains(log(job, 1), ": complete")
end

function TestSlurm.test_what_the_script_says()
  local path = lab:machine "node"
  local function said(line) return lab:shell(path, ("PATH=%s:$PATH; %s"):format(path, line)).out end
  command.write(path .. "/exeunt", "#!/bin/sh\necho \"$@\"\n")
  os.execute(("chmod +x %s/exeunt"):format(path))
  local script = "sh " .. system.folder() .. "/recipes/slurm/search.sh"
  lu.assertEquals(said("unset EXEUNT; SLURM_ARRAY_TASK_ID=3 SLURM_CPUS_PER_TASK=4 SLURM_CPUS_ON_NODE=8 " .. script .. " A S"),
                  "worker A S --slot 3 --threads 4\n")
  lu.assertEquals(said("unset EXEUNT; cd /; SLURM_JOB_ID=7 SLURM_CPUS_ON_NODE=2 " .. script .. " A S --lease 5"),
                  "worker A S --lease 5 --slot 7 --threads 2\n")
  lu.assertEquals(said("EXEUNT=echo SLURM_CPUS_PER_TASK=4 " .. script .. " A S --threads 2"), "worker A S --threads 2 --slot 1\n")
  local result = lab:shell(path, script .. " A")
  lu.assertEquals({ result.code, result.err:match "^usage: sbatch" }, { 2, "usage: sbatch" })
end

local code = lu.LuaUnit.run()
for _, each in ipairs(daemons or {}) do each.run:free() end
if lab then lab:close() end
os.exit(code)
