-- context.lua: where trainings happen: in a run (its folder, seed, log and listener), or at a prompt (none of these).
-- run.lua fills it for the time of a recipe; ex.train reads it. There is at most one run in a process.

local context = {
  folder = nil,       -- the run's folder; nil outside a run: trainings keep no files
  seed = nil,         -- the run's seed
  resume = false,     -- whether trainings go on from their files
  log = nil,          -- the run's log.jsonl (report/runlog.lua)
  plan_only = false,  -- ex.train raises its compiled plan instead of training
  trainings = 0,      -- how many have begun: the default names train1, train2, ...
  names = {},         -- those names
}

-- enter(run): the fields of a run, from now on. leave(): none.
function context.enter(run)
  context.leave()
  for k, v in pairs(run) do context[k] = v end
end

function context.leave()
  context.folder, context.seed, context.resume, context.log, context.plan_only = nil, nil, false, nil, false
  context.trainings, context.names = 0, {}
end

-- name(given): the name of the next training, checked: it becomes part of a file's name.
function context.name(given)
  context.trainings = context.trainings + 1
  local name = given or ("train" .. context.trainings)
  if type(name) ~= "string" or not name:match "^[%w_][%w_.-]*$" then
    error(("train: name must be letters, digits, _ . and -, got %s"):format(tostring(name)), 0)
  end
  if context.folder and context.names[name] then error(("train: this run already has a training %s"):format(name), 0) end
  context.names[name] = true
  return name
end

return context
