-- cli/importance.lua: `exeunt importance STUDY`: which knobs of a study matter for an objective, by PED-ANOVA
-- (lua/exeunt/search/importance.lua), as a table or as JSON:
--     { "study": "...", "objective": "vote.val_top1", "direction": "maximize", "trials": N,
--       "importance": [ { "knob": "lr", "share": 0.7 }, ... the largest first, with the sum 1 ] }

local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"

local command = { about = "which knobs of a study matter", usage = "STUDY" }

-- The place of an objective among the study's; the first if no path is given.
local function place(objectives, path)
  local paths = {}
  for i, each in ipairs(objectives) do
    paths[i] = each.path
    if path == nil or path == each.path then return i end
  end
  usage.fail("importance: the study has no objective '%s'%s", tostring(path), require("exeunt.options").suggest(path, paths))
end

local BAR = 30                              -- characters of a share of one
local FEW = 50                              -- below so many trials chance moves the shares by tens of per cent

local function text(study, path, direction, count, list)
  local rows = {}
  for i, pair in ipairs(list) do rows[i] = { pair[1], ("%.1f %%"):format(100 * pair[2]), ("#"):rep(math.floor(BAR * pair[2] + 0.5)) } end
  return ("study %s, %d trials: what decides who is best at %s (%s)\n\n"):format(study.name, count, path, direction)
         .. require("exeunt.report.table").render({ "knob", "share", "" }, rows)
         .. (count < FEW and ("\nOf fewer than %d trials these shares are rough: chance can change their order.\n"):format(FEW) or "")
end

function command.main(args)
  local p = usage.parser("importance", "Says how much each knob of a study decides whether a trial is among the best.")
  p:argument("study", "The study's name, or its file.")
  p:option("--objective", "Which objective, by its path, as vote.val_top1; the first if not given."):argname "PATH"
  stored.options(p)
  local given = usage.parse("importance", p, args)
  local store = stored.open(given.store)
  local study = stored.find(store, given.study)
  local objectives = stored.objectives(study)
  local index = place(objectives, given.objective)
  local path, direction = objectives[index].path, objectives[index].direction
  local trials = store:trials(study.id)
  store:close()
  local space = require("exeunt.search.space").from_document(study.document.space)
  local list = require "exeunt.search.importance"(space, trials, direction, index)
  local count = 0
  for _, trial in ipairs(trials) do count = count + ((trial.state == "complete" or trial.state == "stopped") and 1 or 0) end
  if not given.json then return usage.write(io.stdout, text(study, path, direction, count, list)) end
  local shares = require("exeunt.report.json").list()
  for i, pair in ipairs(list) do shares[i] = { knob = pair[1], share = pair[2] } end
  stored.print({ study = study.name, objective = path, direction = direction, trials = count, importance = shares },
               { "study", "objective", "direction", "trials", "importance", "knob", "share" })
end

return command
