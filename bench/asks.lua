-- asks.lua SAMPLER FOLDER SECONDS: what a search costs beside its trials, at 10,000 finished ones: a trial asked for, its point
-- suggested and kept, a step reported, its values told, by the loop of a worker (search/worker.lua) on an SQLite file; in blocks on
-- request (serve.lua). SECONDS is what each trial is said to have taken: the end of one of a second or more is flushed to the disk.
-- bench/peers/search_asks.py is the same of Optuna.
-- The file with the 10,000 is made once, in FOLDER; what is measured works on a copy.

package.path = "bench/?.lua;" .. package.path
local ex = require "exeunt"
local file = require "exeunt.file"
local Space = require "exeunt.search.space"
local Store = require "exeunt.search.store"
local Random = require "exeunt.search.samplers.random"
local Worker = require "exeunt.search.worker"

local COUNT = 10000
local name, folder, seconds = arg[1], arg[2], tonumber(arg[3])
local several = name == "nsga2"             -- which is for several objectives

local space = Space.new { lr = ex.log(1e-4, 1e-1), a = ex.uniform(0, 1), b = ex.uniform(0, 1), c = ex.uniform(0, 1), d = ex.int(1, 9) }

local function values(p)
  local first = (math.log10(p.lr) + 2) ^ 2 + (p.a - 0.3) ^ 2 + p.b * p.c
  return several and { first, p.d + p.a } or { first }
end

-- Made as a search would; a random point each.
local function fill(path)
  local store = Store.open(path)
  local id = store:create("asks", { space = space:document() })
  for number = 0, COUNT - 1 do
    local trial = store:claim(id, { worker = "bench" })
    local params = Random.draw(space, 7, number)
    store:propose(trial, params, space:key(params))
    store:report(trial, 1, values(params)[1])
    store:finish(trial, { state = "complete", values = values(params) })
  end
  store:close()
end

local path = ("%s/asks-%d"):format(folder, several and 2 or 1)
if not file.kind(path .. ".db") then
  os.execute(("mkdir -p %s; rm -f %s.made*"):format(folder, path))
  fill(path .. ".made")
  for _, ending in ipairs { ".jsonl", "" } do            -- the file last: it says that all is there
    assert(os.rename(path .. ".made" .. ending, path .. ".db" .. ending))
  end
end
local copy = ("%s/asks-%s"):format(folder, name)
os.execute(("rm -f %s.db*; cp %s.db %s.db; cp %s.db.jsonl %s.db.jsonl"):format(copy, path, copy, path, copy))

local store = Store.open(copy .. ".db")
local study = { name = "asks", space = space, sampler = ex.sampler[name](), points = {}, seed = 1, retries = 3,
                directions = several and { "minimize", "minimize" } or { "minimize" }, most = function() return math.huge end }
local worker = Worker.new { store = store, id = store:study("asks").id, study = study, name = "bench" }

local function trial()
  local claimed = worker:claim()
  worker:propose(claimed)
  local found = values(claimed.params)
  store:report(claimed, 1, found[1])
  store:finish(claimed, { state = "complete", values = found, seconds = seconds })
end

for _ = 1, 5 do trial() end
require "serve"(("ready %d %d"):format(COUNT, #space.names), trial)
store:close()
