-- cli/best.lua: `exeunt best STUDY`: the trial with the best value, or of several objectives the Pareto front; only complete trials
-- that keep the study's constraints count. Exit code 1 where there is none yet.

local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"

local command = { about = "the best trials of a study", usage = "STUDY" }

local function text_of(trial, objectives)
  local lines = { ("trial %d\n"):format(trial.number) }
  for i, value in ipairs(trial.values) do lines[#lines + 1] = ("  %s: %.6g\n"):format(stored.title(objectives, i), value) end
  for _, name in ipairs(require("exeunt.options").sorted_keys(trial.params or {})) do
    local x = stored.shown(trial.params[name])
    lines[#lines + 1] = ("  %s = %s\n"):format(name, type(x) == "number" and ("%.6g"):format(x) or tostring(x))
  end
  if trial.run_dir then lines[#lines + 1] = ("  %s\n"):format(trial.run_dir) end
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
  local best = require("exeunt.search.front").of((store:trials(study.id)), directions)
  store:close()
  if #best == 0 then error(("study '%s' has no complete trial yet that counts"):format(study.name), 0) end
  if given.json then
    local list = require("exeunt.report.json").list()
    for i, trial in ipairs(best) do list[i] = stored.object(trial) end
    return stored.print(list)
  end
  for i, trial in ipairs(best) do usage.write(io.stdout, (i > 1 and "\n" or "") .. text_of(trial, objectives)) end
end

return command
