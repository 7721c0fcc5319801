-- cli/worker.lua: `exeunt worker ADDRESS [STUDY]`: joins a study whose document is in a store, on whatever machine, until there
-- is nothing more to do. `exeunt search` starts its own with --file. The loop is lua/exeunt/search/worker.lua's.

local core = require "exeunt.core"
local options = require "exeunt.options"
local usage = require "exeunt.cli.usage"

local command = { about = "work on a study that a store holds", usage = "ADDRESS [STUDY]" }

local function parser()
  local p = usage.parser("worker", "Works on a study that a store holds, beside any number of other workers. The study's recipe must be "
                         .. "at hand, unchanged.")
  p:argument("address", "The store: a file, or postgresql://...")
  p:argument("study", "The study's name; not needed where the store holds one only."):args "?"
  p:option("--recipe", "Where the recipe is, if not where the study says."):argname "FILE"
  p:option("--file", "The study's own file, Lua or YAML, in place of what the store says of it."):argname "FILE"
  p:option("--slot", "A number for this worker's name.", nil, usage.whole("--slot", 1, 2 ^ 53)):argname "N"
  require("exeunt.cli.search").options(p)
  return p
end

-- The study's record: of that name, or the only one.
local function find(store, name)
  local names, all = {}, store:studies()
  for i, each in ipairs(all) do names[i] = each.name end
  if not name and #all == 1 then name = names[1] end
  if not name and #all == 0 then core.raise("%s holds no study yet: begin one with exeunt search", store.name) end
  if not name then usage.fail("worker: which study? %s holds %s", store.name, table.concat(names, ", ")) end
  return store:study(name) or core.raise("%s holds no study '%s'%s", store.name, name, options.suggest(name, names))
end

-- The study and its id in the store.
local function join(store, given)
  local studies = require "exeunt.search.study"
  if given.file then
    local study = studies.load(given.file)
    return study, (require("exeunt.search.supervisor").join(store, study, given.changed))
  end
  local record = find(store, given.study)
  if not record.document.recipe then
    core.raise("study '%s' has no recipe to run: its trials are asked for and told (exeunt ask, exeunt tell)", record.name)
  end
  return studies.of_document(record.document, record.name, given.recipe), record.id
end

local function host()
  local file = io.open "/proc/sys/kernel/hostname"
  local name = file and file:read "*l" or os.getenv "HOSTNAME" or "host"
  if file then file:close() end
  return name
end

-- Who this is, and no other process: machine, slot, process.
local function name_of(slot)
  local file = io.open "/proc/self/stat"
  local pid = file and file:read "*n" or math.floor(core.C.ex_clock() * 1e6)
  if file then file:close() end
  return ("%s%s:%d"):format(slot and ("worker %d "):format(slot) or "", host(), pid)
end

function command.main(args)
  local given = usage.parse("worker", parser(), args)
  if given.address:match "%.lua$" or given.address:match "%.ya?ml$" then
    usage.fail("worker: the first argument is a store (a file, or postgresql://...), and %s looks like a study's file: exeunt search takes "
               .. "those", given.address)
  end
  local server = given.address:match "^postgres%w*://"
  if not server and not given.file and not require("exeunt.file").kind(given.address) then
    core.raise("there is no store %s: begin a study with exeunt search STUDY --store %s", given.address, given.address)
  end
  require("exeunt.output").keep_clean()
  local store = require("exeunt.search.store").open(given.address, { make = given.file ~= nil })
  local study, id = join(store, given)
  if given.trials then study.trials = given.trials end
  require("exeunt.signals").install "step"
  local worker = require("exeunt.search.worker").new {
    store = store, id = id, study = study, name = name_of(given.slot), runs = given.runs, threads = given.threads or core.C.ex_cpu_count(),
    lease = given.lease, grace = given.grace, say = function(text) io.stderr:write(text, "\n") end,
  }
  local outcome, worked = worker:run()
  store:close()
  if worked == 0 then io.stderr:write(("study %s: nothing was left to do: %s\n"):format(study.name,
    require("exeunt.search.budget").ended(study, worker.trials))) end
  if outcome == "interrupted" then
    local signal = require("exeunt.signals").requested()
    error({ code = signal == "SIGTERM" and 143 or 130,
            message = ("stopped by %s; the trial goes on with the next worker"):format(signal) }, 0)
  end
  return 0
end

return command
