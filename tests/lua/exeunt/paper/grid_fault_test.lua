-- grid_fault_test.lua: a grid that is killed at a chosen point, stopped, or out of room: run again, it has every cell once, trains
-- none that was finished, and its results file has whole lines alone.

local lu = require "luaunit"
local ex = require "exeunt"
local file = require "exeunt.file"
local command = dofile "tests/support/command.lua"
local dataset = dofile "tests/support/dataset.lua"

TestGridFaults = {}

-- The recipe notes each training that begins in TRACE. FAULT, "what:k", strikes at the k-th training or record: "term" and "train"
-- (a signal), "cut" (killed when C bytes of the record are written), "added" (when it is written); "end": in the last measurement.
local recipe = [[
local ex = require "exeunt"
local cell = require "exeunt.paper.cell"
local core = require "exeunt.core"
local cost = require "exeunt.cost"
local file = require "exeunt.file"
core.ffi.cdef "int kill(int pid, int signal); int getpid(void);"
local what, at = (os.getenv "FAULT" or ":0"):match "(%a*):(%d+)"
local cut, results, trace = tonumber(os.getenv "CUT" or 0), os.getenv "RESULTS", os.getenv "TRACE"
at = tonumber(at)

local function strike(number) core.C.kill(core.C.getpid(), number) end

local call, trainings = getmetatable(cell).__call, 0
getmetatable(cell).__call = function(...)
  trainings = trainings + 1
  file.append(trace, select(2, ...).scheme .. "\n")
  if what == "term" and trainings == at then strike(15) end
  if what == "train" and trainings == at then strike(9) end
  return call(...)
end

local append, records = file.append, 0
file.append = function(path, text)
  if path ~= results then return append(path, text) end
  records = records + 1
  if what == "cut" and records == at then
    append(path, text:sub(1, cut < 0 and #text + cut or cut))
    strike(9)
  end
  append(path, text)
  if what == "added" and records == at then strike(9) end
end

local latencies = cost.latencies
cost.latencies = function(...)
  if what == "end" and records == at then strike(9) end
  return latencies(...)
end

return ex.recipe {
  about = "a grid that is struck",
  knobs = { set = "" },
  run = function(knobs)
    local grid = ex.paper.grid { nets = { "resnet" }, sets = { knobs.set }, sizes = { 0 }, regimes = { "tr" }, schemes = { "mix", "asc" },
                                 cell = { validation = 10, epochs = 1, batch = 20 } }
    return ex.result { report = grid:run(ex.paper.store(results)) }
  end,
}
]]

local SCHEMES = { "se", "mix", "asc" }

function TestGridFaults:setUp()
  self.folder = command.folder()
  self.set, self.results, self.runs = dataset.make(self.folder), self.folder .. "/cells.jsonl", 0
  command.write(self.folder .. "/struck.lua", recipe)
end

function TestGridFaults:tearDown()
  command.shell(("umount %s/small"):format(self.folder))
  command.remove(self.folder)
end

-- One run in a process of its own, in a folder of its own unless `out` is given.
function TestGridFaults:run(fault, cut, out)
  self.runs = self.runs + 1
  return command.shell(("FAULT=%s CUT=%d RESULTS=%s TRACE=%s/trace ${EXEUNT:-./exeunt} run %s/struck.lua %s %s"):format(fault or "none:0",
    cut or 0, self.results, self.folder, self.folder, out and "--resume" or "set=" .. self.set,
    "--out " .. (out or self.folder .. "/run" .. self.runs)))
end

-- Runs to the end; all cells are there, each once, and as many trainings were begun as expected.
function TestGridFaults:finishes(trainings, out)
  local result = self:run(nil, nil, out)
  lu.assertEquals(result.code, 0, result.err)
  local schemes = {}
  for i, record in ipairs(ex.paper.store(self.results).records) do schemes[i] = record.cell.scheme end
  lu.assertEquals(schemes, SCHEMES)
  local _, begun = file.read(self.folder .. "/trace"):gsub("\n", "")
  lu.assertEquals(begun, trainings)
  return result
end

function TestGridFaults:test_killed_in_a_training()
  lu.assertNotEquals(self:run("train:2").code, 0)
  self:finishes(3 + 1)
end

function TestGridFaults:test_killed_while_a_record_is_written()
  for _, cut in ipairs { 0, 1, 300, -2 } do
    lu.assertNotEquals(self:run("cut:2", cut).code, 0)
    local result = self:finishes(3 + 1)
    lu.assertEquals(result.err:find("its last line was cut off while it was written; it is taken away", 1, true) ~= nil, cut ~= 0)
    file.remove(self.results)
    file.remove(self.folder .. "/trace")
  end
end

-- All of the record but the end of its line is a finished cell.
function TestGridFaults:test_killed_before_the_end_of_a_line()
  lu.assertNotEquals(self:run("cut:2", -1).code, 0)
  lu.assertStrContains(self:finishes(3).err, "its last line was cut off while it was written; it is completed")
end

function TestGridFaults:test_killed_after_a_record_or_all_of_them()
  lu.assertNotEquals(self:run("added:1").code, 0)
  lu.assertNotEquals(self:run("end:2").code, 0)
  lu.assertStrContains(self:finishes(3).err, "3 of 3 cells are finished already")
end

function TestGridFaults:test_stopped_by_a_signal()
  local result = self:run "term:2"
  lu.assertEquals(result.code, 143)
  lu.assertStrContains(result.err, "stopped by SIGTERM")
  lu.assertEquals(#ex.paper.store(self.results).records, 1)
  self:finishes(3 + 1)
end

-- A file system of its own that is too small; only root may mount one.
function TestGridFaults:test_a_full_disk()
  file.make_folder(self.folder .. "/small")
  local mounted = command.shell(("mount -t tmpfs -o size=12k none %s/small"):format(self.folder)).code == 0
  if not mounted then lu.skip "a file system cannot be mounted" end
  self.results = self.folder .. "/small/cells.jsonl"
  command.shell(("head -c 4000 /dev/zero >%s/small/full"):format(self.folder))
  local result = self:run()
  lu.assertEquals(result.code, 1)
  lu.assertStrMatches(result.err, ".*\nexeunt: [^\n]*cannot append to [^\n]*/small/cells%.jsonl: No space left on device "
    .. "%(the training is kept: go on with %-%-resume%)\n")
  local finished = #ex.paper.store(self.results).records            -- in whole lines; the lock has the third page
  lu.assertTrue(finished >= 1 and finished <= 2, finished)
  file.remove(self.folder .. "/small/full")
  result = self:finishes(3 + 1, self.folder .. "/run1")
  lu.assertStrContains(result.err, "finished earlier, taken from its file")
end

os.exit(lu.LuaUnit.run())
