-- search/asked.lua: a study whose trials are run by somebody else: `exeunt ask` gives a point, `exeunt tell` takes its values, so
-- that scripts in any language can search. The study is one of the store, or a file that is taken into it: Lua or YAML as
-- `exeunt search` takes, or YAML without a recipe: space, objective and, where wanted, sampler, stop, trials, seed, points, lag.
-- It runs nothing; of a stopper it says what that would do.

local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local options = require "exeunt.options"
local samplers = require "exeunt.search.samplers"
local Space = require "exeunt.search.space"
local stoppers = require "exeunt.search.stoppers"

local asked = {}

local known = { space = options.required, objective = options.required, sampler = options.optional, trials = options.optional,
                stop = options.optional, seed = 420, points = {}, lag = options.optional, retries = 3, name = options.optional }

-- { maximize = name } or a list of such -> the list that a document holds.
local function objectives(given)
  local list = json.list()
  for _, part in ipairs(type(given) == "table" and (given[1] and given or { given }) or {}) do
    for _, direction in ipairs { "maximize", "minimize" } do
      if type(part) == "table" and type(part[direction]) == "string" then list[#list + 1] = { [direction] = part[direction] } end
    end
  end
  if #list == 0 then core.raise "study: objective must be as { maximize: name }" end
  return list
end

-- The stopper of a study without a recipe, as a document holds it: one that ends trials.
local function stop_of(given)
  local stop = stoppers.of(given)
  if stop and stop.options.promote then
    core.raise("study: stop: with promote = true %s pauses trials, which trials that are asked for cannot be: leave it out", stop.name)
  end
  return stop and { name = stop.name, options = stop.options } or nil
end

-- The document of a study without a recipe.
local function document_of(given)
  local o = options.check("study", given, known)
  local sampler = samplers.of(o.sampler)
  local space = Space.new(o.space)
  for i, point in ipairs(o.points) do
    local ok, why = pcall(space.check, space, point)
    if not ok then core.raise("study: points[%d]: %s", i, tostring(why)) end
  end
  local list, directions = objectives(o.objective), json.list()
  for i, each in ipairs(list) do directions[i] = next(each) end
  samplers.check(sampler, space, directions)
  return { format = 1, space = space:document(), objective = list, directions = directions, trials = o.trials, seed = o.seed,
           sampler = { name = sampler.name, options = sampler.options or {} }, points = json.list { unpack(o.points) },
           stop = stop_of(o.stop), lag = o.lag or sampler.lag, retries = o.retries, name = o.name }
end

local function from_file(path)
  local name = path:match "([^/]*)$":gsub("%.[^.]*$", "")
  if path:match "%.ya?ml$" then
    local document = require("exeunt.search.yamlfile").call(path, function(given) return not given.recipe and document_of(given) end)
    if document then
      name, document.name = document.name or name, nil
      return name, document
    end
  end
  local study = require("exeunt.search.study").load(path)
  return study.name, study:document(), study.sampler
end

-- What search/worker.lua needs to know of a study, from its document. trials: how many there may be.
local function study_of(name, document, trials, sampler)
  local space = Space.from_document(document.space)
  local named = document.sampler
  if not sampler and named.name == "function" then
    core.raise("study %s: its sampler is a function: give its file instead of its name", name)
  end
  sampler = sampler or samplers.of { [named.name] = named.options or {} }
  local points = document.points or {}
  return {
    name = name, space = space, sampler = sampler, points = points, seed = document.seed, lag = document.lag,
    directions = document.directions, retries = document.retries or 3,
    most = function()
      local most = trials or math.huge
      return sampler.size and math.min(most, #points + sampler:size(space)) or most
    end,
  }
end

-- read(path) -> what a study's file says, for open and ask; nil where there is no such file, or one without an ending, which is a
-- study's name. Raises where it is no study.
function asked.read(path)
  if file.kind(path) ~= "file" or not path:find "[./]" then return nil end
  local name, document, sampler = from_file(path)
  return { path = path, name = name, document = document, sampler = sampler }
end

-- open(store, what) -> a study's id and what the worker's loop needs of it. what: a name, or what read gave, which is taken into the
-- store, with its `trials`, as in a search.
function asked.open(store, what)
  if type(what) == "table" then
    local name, document, sampler = what.name, what.document, what.sampler
    local given = { name = name, recipe = what.path, document = function() return document end }
    local id = require("exeunt.search.supervisor").join(store, given, true)           -- no recipe is run
    return id, study_of(name, store:study(name).document, document.trials, sampler and sampler.name == "function" and sampler or nil)
  end
  local found = require("exeunt.cli.stored").find(store, what)
  return found.id, study_of(found.name, found.document, found.document.trials)
end

-- ask(store, what, { worker, lease }) -> a trial with its point, or nil where there are no more, and how many are running.
function asked.ask(store, what, given)
  local id, study = asked.open(store, what)
  local worker = require("exeunt.search.worker").new { store = store, id = id, study = study, name = given.worker, lease = given.lease }
  while true do
    local trial, running = worker:claim()
    if not trial then return nil, running end
    if trial.params or worker:propose(trial) then return trial end       -- where it gave none, it claims no new one
  end
end

-- would_stop(store, study, number, step) -> whether the study's stopper ends the trial at this step, which was told; its name, nil
-- where there is none, or one that is in the study's file only. study: what the store says of it.
function asked.would_stop(store, study, number, step)
  local named = study.document.stop
  if not named then return false end
  local ok, stop = pcall(stoppers.of, { [named.name] = named.options })
  if not ok then return false end
  local trials = store:trials(study.id)
  for _, trial in ipairs(trials) do
    for _, pair in ipairs(trial.number == number and trial.steps or {}) do
      if pair[1] == step then
        local look = { trial = trial, trials = trials, step = step, value = pair[2], direction = study.document.directions[1] }
        return stop:decide(look) == "stop", named.name
      end
    end
  end
  return false, named.name
end

return asked
