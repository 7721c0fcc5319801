-- cluster.lua: what tests of searches on several machines share: a server that all of them reach, a recipe that can be held up in
-- the middle of a trial, the study of it, begun as recipes/32_search_cluster.md says, and what must be true at the end.

local lu = require "luaunit"
local child = require "exeunt.child"
local file = require "exeunt.file"
local system = require "exeunt.system"
local Random = require "exeunt.search.samplers.random"
local Space = require "exeunt.search.space"
local command = dofile "tests/support/command.lua"
local folder = dofile "tests/support/folder.lua"
local postgres = dofile "tests/support/postgres.lua"
local sandbox = dofile "tests/support/sandbox.lua"

local cluster = {}
local Cluster = {}
Cluster.__index = Cluster

local TRIALS = 8

-- Each trial waits after its second step until the file `gate` is there.
local RECIPE = [[
local ex = require "exeunt"
return ex.recipe {
  about = "a bowl behind a gate", knobs = { x = 1, gate = "" },
  run = function(k)
    for step = 1, 4 do
      ex.report { step = step, loss = k.x ^ 2 + 1 / step }
      while step == 2 and k.gate ~= "" and not io.open(k.gate) do
        require("exeunt.child").sleep(0.02)
        require("exeunt.signals").check()
      end
    end
    return { loss = k.x ^ 2 }
  end,
}
]]

local STUDY = [[
local ex = require "exeunt"
return ex.study { recipe = "bowl.lua", space = { x = ex.uniform(-2, 2) }, fixed = { gate = "%s" }, objective = { minimize = "loss" },
                  sampler = "random", trials = %d }
]]

cluster.program = (function()
  local path = os.getenv "EXEUNT" or "./exeunt"
  return path:sub(1, 1) == "/" and path or system.folder() .. "/" .. path
end)()

-- -- What there is --------------------------------------------------------------------------------------------------

-- start() -> a server on the sandbox's address with a database `studies` of the user `worker`, whose password is in a file of its
-- own; or nil and why not. Close it at the end.
function cluster.start()
  local server, why = postgres.start { listen = sandbox.address, subnet = sandbox.subnet }
  if not server then return nil, why end
  local self = setmetatable({ server = server, folder = folder.make() }, Cluster)
  local db = require("exeunt.search.database").open(server.address)
  db:execute "CREATE ROLE worker LOGIN PASSWORD 'a secret'"
  db:execute "CREATE DATABASE studies OWNER worker"
  db:close()
  self.address, self.gate, self.pass = ("postgresql://worker@%s/studies"):format(sandbox.address), self.folder .. "/gate",
                                       self.folder .. "/pgpass"
  command.write(self.pass, ("%s:5432:studies:worker:a secret\n"):format(sandbox.address))
  os.execute("chmod 600 " .. self.pass)
  return self
end

function Cluster:close()
  self.server:stop()
  folder.remove(self.folder)
end

-- store(): the studies, seen from the server's own machine.
function Cluster:store()
  return require("exeunt.search.store").open((self.server.address:gsub("/postgres%?", "/studies?")))
end

-- machine(name): a folder with the recipe, as on a machine with disks of its own.
function Cluster:machine(name)
  local path = self.folder .. "/" .. name
  if os.execute(("mkdir %s 2>/dev/null"):format(path)) == 0 then command.write(path .. "/bowl.lua", RECIPE) end
  return path
end

-- -- What is done ---------------------------------------------------------------------------------------------------

-- line(arguments): a shell's line for the engine with the password at hand.
function Cluster:line(arguments) return ("PGPASSFILE=%s exec %s %s"):format(self.pass, cluster.program, arguments) end

-- shell(path, line): runs a shell's line in that folder; begin: in the background, its streams in files there.
function Cluster:shell(path, line) return command.shell(("cd %s && %s"):format(path, line)) end   -- luacheck: no self

function Cluster:begin(path, line)          -- luacheck: no self
  self.streams = (self.streams or 0) + 1
  local err = ("%s/stderr-%d"):format(path, self.streams)
  local run = child.start { argv = { "/bin/sh", "-c", ("cd %s && %s"):format(path, line) }, out = err .. ".out", err = err }
  return { run = run, said = function() return file.read(err) end }
end

-- study(name): begins a study of that name, as a person does, whose first trial is done; then shuts the gate.
function Cluster:study(name)
  local path = self:machine "head"
  command.write(("%s/%s.lua"):format(path, name), STUDY:format(self.gate, TRIALS))
  command.write(self.gate, "")
  local result = self:shell(path, self:line(("search %s.lua --store %s --trials 1"):format(name, self.address)))
  lu.assertEquals(result.code, 0, result.err)
  os.remove(self.gate)
end

function Cluster:open_gate() command.write(self.gate, "") end

-- await(what, f): waits until f() is true; after a minute that is a failure.
function Cluster:await(what, f)             -- luacheck: no self
  for _ = 1, 600 do
    local found = f()
    if found then return found end
    child.sleep(0.1)
  end
  lu.fail("in a minute it did not come to this: " .. what)
end

-- trials(name): of that study.
function Cluster:trials(name)
  local store = self:store()
  local list = store:trials(store:study(name).id)
  store:close()
  return list
end

-- await_gate(name, n): waits until n trials wait at the gate; gives them.
function Cluster:await_gate(name, n)
  return self:await(n .. " trials at the gate", function()
    local waiting = {}
    for _, trial in ipairs(self:trials(name)) do
      if trial.state == "running" and #trial.steps >= 2 then waiting[#waiting + 1] = trial end
    end
    return #waiting >= n and waiting
  end)
end

-- assert_whole(name): the study is at its end: every trial there once, complete, the point that the seed says and its value.
function Cluster:assert_whole(name)
  local trials, space = self:trials(name), Space.new { x = Space.uniform(-2, 2) }
  lu.assertEquals(#trials, TRIALS)
  local finishes = {}
  for i, trial in ipairs(trials) do
    local x = Random.draw(space, 420, i - 1).x
    lu.assertEquals({ trial.number, trial.state, trial.params.x, trial.values, trial.error }, { i - 1, "complete", x, { x ^ 2 } })
    finishes[trial.finish] = true
  end
  lu.assertEquals(#finishes, TRIALS)
  return trials
end

return cluster
