-- cli/tell.lua: `exeunt tell STUDY NUMBER VALUE ...` records what came of a trial that `exeunt ask` gave out: a value for each
-- objective, or --failed with why. With --step it is one step's value of a trial that goes on, and the study's stopper says whether
-- it should; --stopped ends it where it is. A finished trial never changes.

local core = require "exeunt.core"
local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"

local command = { about = "what came of a point", usage = "STUDY NUMBER VALUE [VALUE ...]" }

local function parser()
  local p = usage.parser("tell", "Records what came of a trial that exeunt ask gave out.")
  p:argument("study", "The study's name, or its file.")
  p:argument("number", "The trial's number.", nil, usage.whole("NUMBER", 0, 2 ^ 31 - 1))
  p:argument("value", "A value for each objective, in the study's order.", nil, function(text)
    return tonumber(text), ("a value must be a number, got '%s'"):format(text)
  end):args "*"
  p:option("--failed", "The trial failed; why."):argname "WHY"
  p:flag("--stopped", "The trial was ended early, as the study's stopper said (--step); its last step's value counts.")
  p:option("--step", "The value is that of a step; the trial goes on. Prints \"stop\" where the study's stopper would end it, otherwise "
           .. "\"go on\"; with --json \"stop\": true or false.", nil, usage.whole("--step", 0, 2 ^ 31 - 1)):argname "N"
  p:option("--seconds", "How long it took.", nil, function(text)
    local x = tonumber(text)
    if x and x >= 0 and x < math.huge then return x end
    return nil, ("--seconds must be a number from 0 on, got '%s'"):format(text)
  end):argname "SECONDS"
  stored.options(p)
  return p
end

local function finite(x) return x == x and x ~= math.huge and x ~= -math.huge end

-- What finish is told. trial: with its steps.
local function outcome(given, study, trial)
  if given.stopped then
    local last = trial.steps[#trial.steps]
    if not last then
      core.raise("trial %d of study '%s' has no step: tell its steps first (--step), or --failed WHY", trial.number, study.name)
    end
    return { state = "stopped", values = finite(last[2]) and { last[2] } or nil, seconds = given.seconds }
  end
  if given.failed then return { state = "failed", error = given.failed, seconds = given.seconds } end
  local objectives = stored.objectives(study)
  if #given.value ~= #objectives then
    usage.fail("tell: the study has %d objective%s, got %d value%s", #objectives, #objectives == 1 and "" or "s", #given.value,
               #given.value == 1 and "" or "s")
  end
  for i, x in ipairs(given.value) do
    if not finite(x) then
      return { state = "failed", error = ("%s is %s"):format(stored.title(objectives, i), tostring(x)), seconds = given.seconds }
    end
  end
  return { state = "complete", values = given.value, seconds = given.seconds }
end

function command.main(args)
  local p = parser()
  local given = usage.parse("tell", p, usage.numbers_last(p, args))
  if given.failed and #given.value > 0 then usage.fail "tell: a value or --failed, not both" end
  if given.stopped and (given.failed or given.step or #given.value > 0) then
    usage.fail "tell: --stopped stands alone: the last step's value counts"
  end
  if given.step and #given.value ~= 1 then usage.fail("tell: --step takes one value, got %d", #given.value) end
  local store = stored.open(given.store, "write")
  local study = stored.find(store, given.study)
  local trial = store:trial(study.id, given.number)
  if not trial then core.raise("study '%s' has no trial %d: ask first", study.name, given.number) end
  local done, stop, stopper
  if given.step then
    done = store:report(trial, given.step, given.value[1])
    if done then stop, stopper = require("exeunt.search.asked").would_stop(store, study, trial.number, given.step) end
  else
    local o = outcome(given, study, trial)
    done = store:finish(trial, o)
    trial.state = done and o.state or trial.state
    if done and o.error and not given.failed then io.stderr:write(("trial %d counts as failed: %s\n"):format(trial.number, o.error)) end
  end
  store:close()
  if not done then core.raise("trial %d of study '%s' is %s: it cannot be changed", trial.number, study.name, trial.state) end
  if given.json then return stored.print({ number = trial.number, state = trial.state, stop = stop }, { "number", "state", "stop" }) end
  if stopper then usage.write(io.stdout, stop and "stop\n" or "go on\n") end
end

return command
