-- cli/importance.lua: `exeunt importance STUDY`: which knobs of a study matter for an objective, by PED-ANOVA
-- (lua/exeunt/search/importance.lua), as a table or as JSON:
--     { "study": "...", "objective": "vote.val_top1", "direction": "maximize", "trials": N,
--       "importance": [ { "knob": "lr", "share": 0.7, "trials": N }, ... the largest first, with the sum 1 ] }
-- A knob that exists only under another's value is judged among the trials that have it; where they are too few its share is null.

local stored = require "exeunt.cli.stored"
local importance = require "exeunt.search.importance"
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

local function text(study, path, direction, list, count, early)
  local rows = {}
  for i, each in ipairs(list) do
    local judged = each[3] >= importance.fewest
    rows[i] = { each[1], each[3], judged and ("%.1f %%"):format(100 * each[2]) or "-", ("#"):rep(math.floor(BAR * each[2] + 0.5)) }
  end
  local columns, notes = { "knob", "trials", { title = "share", align = "right" }, "" }, importance.notes(list, count, early)
  return ("study %s, %d trials: what decides who is best at %s (%s)\n\n"):format(study.name, count, path, direction)
         .. require("exeunt.report.table").render(columns, rows) .. (#notes > 0 and "\n" .. table.concat(notes, "\n") .. "\n" or "")
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
  local list, count, early = importance(space, trials, direction, index)
  if not given.json then return usage.write(io.stdout, text(study, path, direction, list, count, early)) end
  local json = require "exeunt.report.json"
  local shares = json.list()
  for i, each in ipairs(list) do
    shares[i] = { knob = each[1], share = each[3] >= importance.fewest and each[2] or json.null, trials = each[3] }
  end
  stored.print({ study = study.name, objective = path, direction = direction, trials = count, importance = shares },
               { "study", "objective", "direction", "trials", "importance", "knob", "share" })
end

return command
