-- again.lua: the command that trains a trial's point again, as a run of its own, for a person to paste. It runs nothing.

local attempt = require "exeunt.search.attempt"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local options = require "exeunt.options"

local again = {}

-- command(study, params): "exeunt run RECIPE knob=value ... --seed N" with every digit, what is fixed too; study: a study or its
-- document. nil where it has no recipe, or the trial no point.
function again.command(study, params)
  study = { recipe = study.recipe, fixed = json.plain(study.fixed) or {}, seed = json.plain(study.seed) or 420 }
  if type(study.recipe) ~= "string" or not params then return nil end
  local settings = attempt.settings_of(study, params)
  local words = { "exeunt run", file.shell_word(study.recipe) }
  for _, name in ipairs(options.sorted_keys(settings)) do
    if name ~= "seed" then words[#words + 1] = file.shell_word(name .. "=" .. attempt.written(settings[name])) end
  end
  words[#words + 1] = "--seed " .. attempt.written(settings.seed)
  return table.concat(words, " ")
end

return again
