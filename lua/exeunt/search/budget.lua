-- budget.lua: what a study may spend of seconds and of epochs, and in words why there is nothing more to do: its budget is used up, or
-- its sampler has no more points. It reads trials; it changes nothing.

local budget = {}

local function used(trials)
  local seconds, epochs = 0, 0
  for _, trial in ipairs(trials) do
    local last = trial.steps and trial.steps[#trial.steps]
    seconds, epochs = seconds + (trial.seconds or 0), epochs + (last and last[1] or 0)
  end
  return seconds, epochs
end

-- spent(study, trials): whether the budget of seconds or of epochs is used up; in words.
function budget.spent(study, trials)
  if not study.seconds and not study.epochs then return nil end
  local seconds, epochs = used(trials)
  if study.seconds and seconds >= study.seconds then return ("%.0f of %g seconds"):format(seconds, study.seconds) end
  return study.epochs and epochs >= study.epochs and ("%d of %d epochs"):format(epochs, study.epochs) or nil
end

-- How many trials have been begun: numbers that were withdrawn too.
local function begun(trials) return #trials > 0 and trials[#trials].number + 1 or 0 end

-- short(study, trials): why a study whose trials have ended has fewer of them than it may have; nil: it has not.
function budget.short(study, trials)
  local count = begun(trials)
  if budget.spent(study, trials) or count >= study:most() then return nil end
  local sampler, size = study.sampler, study.space:size()
  if sampler.name == "function" then return ("the sampler gave no point for trial %d (it returned nil)"):format(count) end
  return size < math.huge and ("all %d points of the space have been tried"):format(size)
    or ("the sampler %s has no more points"):format(sampler.name)
end

-- ended(study, trials): why nothing is left to do, in words that follow a colon.
function budget.ended(study, trials)
  local short = budget.short(study, trials)
  if short then return short end
  local count, spent = begun(trials), budget.spent(study, trials)
  if not spent and study.sampler.size and count >= #study.points + study.sampler:size(study.space) then
    return ("all %d points of the %s have been tried"):format(count, study.sampler.name)
  end
  return ("%s; a larger budget goes on (trials, seconds or epochs in %s, or --trials N)"):format(
    spent or ("%d of %d trials"):format(count, study:most()), study.file or "the study's file")
end

return budget
