-- cli/best.lua: `exeunt best STUDY`: the trial with the best value, or of several objectives the Pareto front; only complete trials
-- that keep the study's constraints count. It says how to train each again. Exit code 1 where there is none yet.

local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"

local command = { about = "the best trials of a study", usage = "STUDY" }

-- "3 of 6 complete trials break a constraint and do not count"; nil where none does.
local function broken_text(trials)
  local broken, complete = stored.broken(trials)
  if broken == 0 then return nil end
  return ("%d of %d complete trial%s break%s a constraint and do%s not count"):format(broken, complete, complete == 1 and "" or "s",
    broken == 1 and "s" or "", broken == 1 and "es" or "")
end

local function text_of(trial, objectives, study)
  local lines = { ("trial %d\n"):format(trial.number) }
  for i, value in ipairs(trial.values) do lines[#lines + 1] = ("  %s: %.6g\n"):format(stored.title(objectives, i), value) end
  for _, name in ipairs(require("exeunt.options").sorted_keys(trial.params or {})) do
    local x = stored.shown(trial.params[name])
    lines[#lines + 1] = ("  %s = %s\n"):format(name, type(x) == "number" and ("%.6g"):format(x) or tostring(x))
  end
  if trial.run_dir then lines[#lines + 1] = ("  %s\n"):format(trial.run_dir) end
  local again = require("exeunt.search.again").command(study.document, trial.params)
  if again then lines[#lines + 1] = ("  again: %s\n"):format(again) end
  return table.concat(lines)
end

function command.main(args)
  local p = usage.parser("best", "Shows a study's best trial; of several objectives, the Pareto front.")
  p:argument("study", "The study's name, or its file.")
  stored.options(p)
  local given = usage.parse("best", p, args)
  local store = stored.open(given.store)
  local study = stored.find(store, given.study)
  local objectives, directions = stored.objectives(study)
  local trials = store:trials(study.id)
  store:close()
  local best, broken = require("exeunt.search.front").of(trials, directions), broken_text(trials)
  if #best == 0 then
    error(("study '%s' has no complete trial yet that counts%s"):format(study.name, broken and ": " .. broken or ""), 0)
  end
  if given.json then
    local list = require("exeunt.report.json").list()
    for i, trial in ipairs(best) do list[i] = stored.object(trial, study) end
    return stored.print(list)
  end
  for i, trial in ipairs(best) do usage.write(io.stdout, (i > 1 and "\n" or "") .. text_of(trial, objectives, study)) end
  if broken then usage.write(io.stdout, "\n" .. broken .. "\n") end
end

return command
