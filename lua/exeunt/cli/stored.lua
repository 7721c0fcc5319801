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

-- find(store, what): the study of that name; the path of a study's file stands for its name.
function stored.find(store, what)
  local study = store:study(what) or store:study((what:match "([^/]*)$":gsub("%.[^.]*$", "")))
  if study then return study end
  local names = {}
  for i, each in ipairs(store:studies()) do names[i] = each.name end
  if what:find "/" or what:match "%.%w+$" then
    core.raise("there is no file %s, and %s holds no study of that name%s", what, store.name,
               require("exeunt.options").suggest(what:match "([^/]*)$":gsub("%.[^.]*$", ""), names))
  end
  core.raise("%s holds no study '%s'%s", store.name, what, require("exeunt.options").suggest(what, names))
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

stored.order = { "number", "state", "params", "values", "constraints", "steps", "finish", "seconds" }

local PLAIN = { "number", "state", "params", "seen", "finish", "worker", "attempts", "error", "seconds", "run_dir", "attributes" }

-- object(trial): what of it JSON shows: `params` an object and `values` a list or null, always.
function stored.object(trial)
  local json = require "exeunt.report.json"
  local out = {}
  for _, key in ipairs(PLAIN) do out[key] = trial[key] end
  out.params = out.params or {}
  out.values = trial.values and json.list { unpack(trial.values) } or json.null
  if trial.constraints then out.constraints = json.list { unpack(trial.constraints) } end
  out.steps = json.list()
  for i, step in ipairs(trial.steps) do out.steps[i] = json.list { step[1], step[2] } end
  return out
end

function stored.print(value, order)
  usage.write(io.stdout, require("exeunt.report.json").encode(value, order or stored.order) .. "\n")
end

return stored
