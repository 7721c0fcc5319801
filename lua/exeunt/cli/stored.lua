-- cli/stored.lua: what the commands that look into a store share: the options --store and --json, opening a store that is there,
-- finding a study in it, and how a trial is shown. It is no command.

local core = require "exeunt.core"
local usage = require "exeunt.cli.usage"

local stored = {}

function stored.options(parser, json)
  parser:option("--store", "The store: a file, or postgresql://...; runs/studies.db if not given."):argname "ADDRESS"
  if json ~= false then parser:flag("--json", "Print JSON instead of text.") end
end

local HOW = { read = { read = true }, write = { make = false }, make = { make = true } }

-- open(address[, how = "read"]): the store. "read": it is only looked into, and one of an earlier version stays one; "write": it is
-- brought up to date. One that is not there is an error, unless "make".
function stored.open(address, how)
  require("exeunt.signals").install "now"
  return require("exeunt.search.store").open(address, HOW[how or "read"])
end

stored.most = 10                            -- names of studies in a message

-- find(store, what): the study of that name; the path of a study's file stands for its name.
function stored.find(store, what)
  local study = store:study(what) or store:study((what:match "([^/]*)$":gsub("%.[^.]*$", "")))
  if study then return study end
  local names = {}
  for i, each in ipairs(store:studies()) do names[i] = each.name end
  if what:find "/" or what:match "%.%w+$" then
    core.raise("there is no file %s, and %s holds no study of that name%s", what, store.name,
               require("exeunt.options").suggest((what:match "([^/]*)$":gsub("%.[^.]*$", "")), names, stored.most))
  end
  core.raise("%s holds no study '%s'%s", store.name, what, require("exeunt.options").suggest(what, names, stored.most))
end

-- objectives(study) -> list of { direction, path }, as its document says; directions alone.
function stored.objectives(study)
  local list, directions = {}, {}
  for i, each in ipairs(study.document.objective or {}) do
    local direction, path = next(each)
    list[i], directions[i] = { direction = direction, path = path }, direction
  end
  return list, directions
end

-- title(objectives, i): the name of the i-th value.
function stored.title(objectives, i)
  return objectives[i] and objectives[i].path or "value" .. (i > 1 and tostring(i) or "")
end

-- shown(value): a param as text.
function stored.shown(value)
  if type(value) == "table" then return (require("exeunt.report.json").encode(value):gsub('"', "")) end
  return value
end

-- state(trial): as people mean it: a trial that was given back by a search that ended (its lease's length is 0) waits for the next.
function stored.state(trial)
  return trial.state == "running" and trial.lease_length == 0 and "interrupted" or trial.state
end

-- feasible(trial): whether a complete trial keeps the study's constraints; nil of others, where nobody knows.
function stored.feasible(trial)
  if trial.state ~= "complete" then return nil end
  return require("exeunt.search.front").feasible(trial)
end

-- broken(trials): how many are complete and break a constraint, and how many are complete.
function stored.broken(trials)
  local broken, complete = 0, 0
  for _, trial in ipairs(trials) do
    local feasible = stored.feasible(trial)
    complete, broken = complete + (feasible ~= nil and 1 or 0), broken + (feasible == false and 1 or 0)
  end
  return broken, complete
end

stored.order = { "number", "state", "params", "values", "feasible", "constraints", "constraint", "excess", "holds", "steps", "finish",
                 "seconds" }

-- A trial's constraints as { constraint = text, excess = what is too much (at most 0: none), holds }; texts: as the study has them.
local function constraints_of(trial, texts)
  local json = require "exeunt.report.json"
  local list = json.list()
  for i, excess in ipairs(trial.constraints) do
    local known = type(excess) == "number" and excess == excess
    list[i] = { constraint = texts[i], excess = known and excess or json.null, holds = known and excess <= 0 }
  end
  return list
end

local PLAIN = { "number", "state", "params", "seen", "finish", "worker", "attempts", "error", "seconds", "run_dir", "attributes" }

-- object(trial, study): what of it JSON shows: `params` an object and `values` a list or null, always; study: its record.
function stored.object(trial, study)
  local json = require "exeunt.report.json"
  local out = {}
  for _, key in ipairs(PLAIN) do out[key] = trial[key] end
  out.params = out.params or {}
  out.values = trial.values and json.list { unpack(trial.values) } or json.null
  out.feasible = stored.feasible(trial)
  if trial.constraints then out.constraints = constraints_of(trial, study.document.constraints or {}) end
  out.steps = json.list()
  for i, step in ipairs(trial.steps) do out.steps[i] = json.list { step[1], step[2] } end
  return out
end

function stored.print(value, order)
  usage.write(io.stdout, require("exeunt.report.json").encode(value, order or stored.order) .. "\n")
end

return stored
