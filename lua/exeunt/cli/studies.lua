-- cli/studies.lua: `exeunt studies` lists the studies of a store: what each optimises, its trials by state, its best value.

local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"

local command = { about = "the studies of a store", usage = "[--store ADDRESS]" }

local STATES = { "complete", "stopped", "failed", "running", "interrupted", "paused" }
local OPEN = { "running", "interrupted", "paused" }

local function summary(store, study)
  local objectives, directions = stored.objectives(study)
  local trials = store:trials(study.id)
  local s = { name = study.name, trials = #trials, objective = {}, created = study.created }
  for _, state in ipairs(STATES) do s[state] = 0 end
  for _, trial in ipairs(trials) do
    local state = stored.state(trial)
    s[state] = s[state] + 1
  end
  for i, each in ipairs(objectives) do s.objective[i] = ("%s %s"):format(each.direction, each.path) end
  local best = #directions == 1 and require("exeunt.search.front").of(trials, directions)[1]
  s.best = best and best.values[1] or nil
  return s
end

-- "2 running, 1 paused" of the trials that have not ended; "-" for none.
local function open_text(s)
  local parts = {}
  for _, state in ipairs(OPEN) do
    if s[state] > 0 then parts[#parts + 1] = ("%d %s"):format(s[state], state) end
  end
  return #parts > 0 and table.concat(parts, ", ") or "-"
end

function command.main(args)
  local p = usage.parser("studies", "Lists the studies of a store.")
  stored.options(p)
  local given = usage.parse("studies", p, args)
  local store = stored.open(given.store)
  local json = require "exeunt.report.json"
  local list, rows = json.list(), {}
  for i, study in ipairs(store:studies()) do
    local s = summary(store, study)
    rows[i] = { s.name, s.trials, s.complete, s.stopped, s.failed, open_text(s), s.best, table.concat(s.objective, ", ") }
    s.objective = json.list(s.objective)
    list[i] = s
  end
  local name = store.name
  store:close()
  if given.json then return stored.print(list, { "name", "objective", "trials", unpack(STATES) }) end
  if #list == 0 then return usage.write(io.stdout, ("%s holds no study yet\n"):format(name)) end
  usage.write(io.stdout, require("exeunt.report.table").render({ "study", "trials", "complete", "stopped", "failed", "open",
    { title = "best", format = "%.6g" }, "objective" }, rows))
end

return command
