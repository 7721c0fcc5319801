-- cli/importance.lua: `exeunt importance STUDY`: which knobs of a study matter for an objective, by PED-ANOVA
-- (lua/exeunt/search/importance.lua), as a table or as JSON:
--     { "study": "...", "objective": "vote.val_top1", "direction": "maximize", "trials": N,
--       "importance": [ { "knob": "lr", "share": 0.7 }, ... the largest first, with the sum 1 ] }

local usage = require "exeunt.cli.usage"

local command = { about = "which knobs of a study matter", usage = "STUDY" }

local function parser()
  local p = usage.parser("importance", "Says how much each knob of a study decides whether a trial is among the best.")
  p:argument("study", "The study's name.")
  p:option("--store", "Where the trials are kept: a file, or postgresql://...; runs/studies.db if not given."):argname "ADDRESS"
  p:option("--objective", "Which objective, by its path, as vote.val_top1; the first if not given."):argname "PATH"
  p:flag("--json", "Print one JSON document instead of the table.")
  return p
end

-- The study of that name, or an error that says which there are. A file that is not there is not made.
local function find(store, name, address)
  local study = store:study(name)
  if study then return study end
  local names = {}
  for i, each in ipairs(store:studies()) do names[i] = each.name end
  usage.fail("importance: %s has no study '%s'%s", address, name, require("exeunt.options").suggest(name, names))
end

local function open(address)
  if not address:match "^postgres%w*://" and not require("exeunt.file").kind(address) then
    usage.fail("importance: there is no store %s; say where with --store", address)
  end
  return require("exeunt.search.store").open(address)
end

-- The place of an objective among the study's, its path and direction.
local function objective(document, path)
  local paths = {}
  for i, each in ipairs(document.objective) do
    local direction, found = next(each)
    paths[i] = found
    if path == nil or path == found then return i, found, direction end
  end
  usage.fail("importance: the study has no objective '%s'%s", path, require("exeunt.options").suggest(path, paths))
end

local BAR = 30                              -- characters of a share of one

local function text(study, path, direction, count, list)
  local rows = {}
  for i, pair in ipairs(list) do rows[i] = { pair[1], ("%.1f %%"):format(100 * pair[2]), ("#"):rep(math.floor(BAR * pair[2] + 0.5)) } end
  return ("study %s, %d trials: what decides who is best at %s (%s)\n\n"):format(study.name, count, path, direction)
         .. require("exeunt.report.table").render({ "knob", "share", "" }, rows)
end

function command.main(args)
  local given = usage.parse("importance", parser(), args)
  local address = given.store or "runs/studies.db"
  local store = open(address)
  local study = find(store, given.study, address)
  local index, path, direction = objective(study.document, given.objective)
  local trials = store:trials(study.id)
  store:close()
  local space = require("exeunt.search.space").from_document(study.document.space)
  local list = require "exeunt.search.importance"(space, trials, direction, index)
  local count = 0
  for _, trial in ipairs(trials) do count = count + ((trial.state == "complete" or trial.state == "stopped") and 1 or 0) end
  if not given.json then return usage.write(io.stdout, text(study, path, direction, count, list)) end
  local json = require "exeunt.report.json"
  local shares = json.list()
  for i, pair in ipairs(list) do shares[i] = { knob = pair[1], share = pair[2] } end
  usage.write(io.stdout, json.encode({ study = study.name, objective = path, direction = direction, trials = count, importance = shares },
                                     { "study", "objective", "direction", "trials", "importance", "knob", "share" }) .. "\n")
end

return command
