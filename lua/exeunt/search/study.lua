-- study.lua: what a search is to do: `ex.study { recipe, space, objective, ... }` checks it against the recipe and gives it back;
-- study.load reads such a file, Lua or YAML; study.of_document makes it again from what a store keeps. It runs nothing.
--
--   return ex.study {
--     recipe    = "02_aep_fashion.lua",                  -- beside this file
--     space     = { lr = ex.log(1e-4, 1e-1), weighting = ex.choice { "mix", "unif" } },
--     objective = { maximize = "vote.val_top1" },        -- or both, or a list of { maximize = path } in order
--     sampler   = ex.sampler.tpe(), stop = ex.stopper.asha { reduction = 4 }, trials = 60,
--   }
--
-- Budgets: `trials` that are begun; `seconds` of trials, added up over the workers; `epochs` (steps) of all trials. No trial
-- is begun once one is used up. Every trial runs with the study's seed unless the space or `fixed` has one.
-- Further options: `fixed` = { knob = value, ... } of all trials; `points` = { { knob = value, ... }, ... } to try first;
-- `constraints` = { "pruned.macs <= 1e6", ... }; `watch` = the metric that the stopper sees (the first objective); `lag` = L: trial
-- n sees the trials up to n - L; `trial_seconds` = the most that one trial may take; `retries` = 3 after a worker's death;
-- `seed` = 420; `name` = the study's in the store (its file's).

local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local knobs = require "exeunt.knobs"
local metric = require "exeunt.search.metric"
local options = require "exeunt.options"
local recipe = require "exeunt.recipe"
local samplers = require "exeunt.search.samplers"
local Space = require "exeunt.search.space"

local shown = options.shown

local Study = {}
Study.__index = Study

local study = {}
local loading                               -- the study file that is being read

-- -- Pieces of a study --------------------------------------------------------------------------------------------

local senses = { maximize = true, minimize = true }

local function objective(sense, path)
  if type(path) ~= "string" or path == "" then
    core.raise("study: objective: %s must be a path in the run's result, as \"vote.val_top1\", got %s", sense, shown(path))
  end
  return { direction = sense, path = path }
end

-- { { direction, path }, ... } of { maximize =, minimize = } (maximize first) or of a list of such with one each.
local function objectives(given)
  if type(given) ~= "table" then
    core.raise("study: objective must be { maximize = \"path\" } (YAML: { maximize: path }), got %s", shown(given))
  end
  local found = {}
  for _, part in ipairs(given[1] ~= nil and given or { given }) do
    if type(part) ~= "table" then core.raise("study: objective: expected { maximize = \"path\" }, got %s", shown(part)) end
    for key in pairs(part) do
      if not senses[key] then
        core.raise("study: objective: unknown '%s'%s", tostring(key), options.suggest(key, { "maximize", "minimize" }))
      end
    end
    for _, sense in ipairs { "maximize", "minimize" } do
      if part[sense] ~= nil then found[#found + 1] = objective(sense, part[sense]) end
    end
  end
  if #found == 0 then core.raise "study: objective: nothing to maximize or minimize" end
  return found
end

local function whole(name, x, low)
  if x == nil then return nil end
  if type(x) ~= "number" or x ~= math.floor(x) or x < low then
    core.raise("study: %s must be a whole number from %d on, got %s", name, low, shown(x))
  end
  return x
end

local function positive(name, x)
  if x ~= nil and (type(x) ~= "number" or not (x > 0)) then core.raise("study: %s must be a number above 0, got %s", name, shown(x)) end
  return x
end

-- A list of tables or of texts (kind), each as `form` says; a table with names where kind is nil.
local function listed(name, x, kind, form)
  local fits = type(x) == "table" and (kind ~= nil or x[1] == nil)
  for key, item in pairs(fits and x or {}) do fits = fits and (kind == nil or type(key) == "number" and type(item) == kind) end
  if not fits then core.raise("study: %s must be %s, got %s", name, form, type(x) == "table" and "another table" or shown(x)) end
  return x
end

local function texted(name, x, form)
  if x ~= nil and (type(x) ~= "string" or x == "") then core.raise("study: %s must be %s, got %s", name, form, shown(x)) end
  return x
end

-- "; did you mean 'bowl.lua'?" for a file that is not there; "" where none beside it has a name like that.
local function like(path)
  local folder, name = path:match "^(.-)([^/]*)$"
  local at = folder == "" and "." or folder
  local near = file.kind(at) == "folder" and options.nearest(name, file.list(at))
  return near and ("; did you mean '%s%s'?"):format(folder, near) or ""
end

-- Beside the study's file, or from the current folder where there is none.
local function beside(path)
  local folder = loading and loading:match "^(.*/)[^/]*$"
  if path:sub(1, 1) == "/" or not folder then return path end
  return folder .. path
end

-- -- Against the recipe ---------------------------------------------------------------------------------------------

local function check_knob(declared, name, value, where)
  if not declared.kinds[name] then
    core.raise("study: %s: the recipe has no knob '%s'%s", where, name, options.suggest(name, options.sorted_keys(declared.kinds)))
  end
  local ok, why = pcall(knobs.resolve, declared, { [name] = value })
  if not ok then core.raise("study: %s: %s", where, tostring(why)) end
end

-- Every knob is one of the recipe's, and every value of its type.
local function check_against(self, declared)
  for _, name in ipairs(self.space.names) do
    local dist = self.space.dists[name]
    for _, value in ipairs(dist.kind == "choice" and dist.values or { dist.low, dist.high }) do
      check_knob(declared, name, value, "space")
    end
  end
  for _, name in ipairs(options.sorted_keys(self.fixed)) do
    if self.space.dists[name] then core.raise("study: fixed: %s is a knob of the space too", name) end
    check_knob(declared, name, self.fixed[name], "fixed")
  end
end

local function check_points(self)
  for i, point in ipairs(self.points) do
    local ok, why = pcall(self.space.check, self.space, point)
    if not ok then core.raise("study: points[%d]: %s", i, tostring(why)) end
  end
end

local function check_budget(self)
  if self.trials or self.seconds or self.epochs then return end
  if self.sampler.name == "grid" then return end
  core.raise "study: how long? It needs trials = N, seconds = N or epochs = N"
end

-- -- Making one -------------------------------------------------------------------------------------------------------

local known = {
  recipe = options.required, space = options.required, objective = options.required, watch = options.optional,
  sampler = options.optional, stop = options.optional, trials = options.optional, seconds = options.optional,
  epochs = options.optional, seed = 420, points = {}, constraints = {}, fixed = {}, lag = options.optional,
  trial_seconds = options.optional, retries = 3, name = options.optional,
}

local function stopper_of(x)
  if x == nil then return nil end
  return require("exeunt.search.stoppers").of(x)
end

-- new{ recipe, space, objective, watch, sampler, stop, trials, seconds, epochs, seed, points, constraints, fixed, lag,
--      trial_seconds, retries, name }; search/study.lua's first comment and README.md say what each means.
function study.new(given)
  if recipe.loading then
    core.raise("study: this is a study and no recipe: `exeunt search %s` runs it", recipe.loading)
  end
  local o = options.check("study", given, known)
  if type(o.recipe) ~= "string" or o.recipe == "" then core.raise("study: recipe must be a file's path, got %s", shown(o.recipe)) end
  local self = setmetatable({
    recipe = beside(o.recipe), space = Space.new(o.space), objectives = objectives(o.objective),
    watch = texted("watch", o.watch, "a metric of log.jsonl, as \"vote.val_top1\""),
    sampler = samplers.of(o.sampler), stop = stopper_of(o.stop), trials = whole("trials", o.trials, 1),
    seconds = positive("seconds", o.seconds), epochs = whole("epochs", o.epochs, 1), seed = whole("seed", o.seed, 0),
    points = listed("points", o.points, "table", "a list of { knob = value, ... }"),
    fixed = listed("fixed", o.fixed, nil, "{ knob = value, ... }"), trial_seconds = positive("trial_seconds", o.trial_seconds),
    retries = whole("retries", o.retries, 0), name = o.name, file = loading, constraints = {}, directions = {},
  }, Study)
  self.lag = whole("lag", o.lag or self.sampler.lag, 1)
  listed("constraints", o.constraints, "string", "a list of texts, as { \"pruned.macs <= 1e6\" }")
  for i, each in ipairs(o.constraints) do self.constraints[i] = metric.constraint(each) end
  for i, each in ipairs(self.objectives) do self.directions[i] = each.direction end
  if not self.name then self.name = loading and loading:match "([^/]+)$":gsub("%.[^.]*$", "") or "study" end
  if type(self.name) ~= "string" or not self.name:match "^[%w_][%w_.-]*$" then
    core.raise("study: name must be letters, digits, _ . and -, got %s", shown(self.name))
  end
  if self.lag and self.stop and self.stop.options.promote then
    core.raise "study: lag waits for trials in order, and this stopper pauses them: leave one of the two out"
  end
  if not file.kind(self.recipe) then core.raise("study: there is no recipe %s%s", self.recipe, like(self.recipe)) end
  self.digest = file.digest(self.recipe)
  check_against(self, recipe.load(self.recipe).declared)
  check_points(self)
  check_budget(self)
  samplers.check(self.sampler, self.space, self.directions)
  return self
end

-- A YAML study's words, as ex.study takes them: what Lua writes with ex.log(a, b) is { log = {a, b} } there, which Space takes.
-- One without a recipe is complete for exeunt ask alone.
local function from_yaml(path)
  return require("exeunt.search.yamlfile").call(path, function(given)
    if given.recipe ~= nil then return study.new(given) end
    for key in pairs(given) do
      if known[key] == nil then options.check("study", given, known) end       -- it may be the recipe, misspelt
    end
    core.raise("study: it has no recipe to run (recipe: FILE): a search needs one; without one its points are for `exeunt ask %s`, and "
               .. "something else tries them", file.shell_word(path))
  end)
end

local function from_lua(path)
  local chunk, wrong = load(file.read(path), "@" .. path, "t")
  if not chunk then core.raise("%s", wrong) end
  local found = recipe.call(path, chunk)
  if getmetatable(found) ~= Study then
    core.raise("%s: a study's file must end with `return ex.study { ... }`, this one returns %s", path, found == nil and "nothing"
               or recipe.is(found) and "a recipe: run it with exeunt run, or name it in a study" or "something else")
  end
  return found
end

local readers = { lua = from_lua, yaml = from_yaml, yml = from_yaml }

-- load(path): the study in that file: Lua where it is called *.lua, YAML where *.yaml or *.yml.
function study.load(path)
  if file.kind(path) == nil then core.raise("there is no study %s%s", path, like(path)) end
  local reader = readers[path:match "%.(%a+)$"]
  if not reader then core.raise("%s: a study is a file called *.lua, *.yaml or *.yml", path) end
  local before = loading
  loading = path
  local ok, found = pcall(reader, path)
  loading = before
  if ok then return found end
  error(found, 0)
end

-- -- As a document ------------------------------------------------------------------------------------------------------

local function piece(x) return x and { name = x.name, options = x.options or {} } or nil end

-- document(): a plain table that JSON can hold, which the store keeps with the study.
function Study:document()
  local doc = {
    format = 1, file = self.file, recipe = self.recipe, recipe_sha256 = self.digest, space = self.space:document(),
    objective = json.list(), directions = json.list { unpack(self.directions) }, watch = self.watch, sampler = piece(self.sampler),
    stop = piece(self.stop), trials = self.trials, seconds = self.seconds, epochs = self.epochs, seed = self.seed,
    points = json.list { unpack(self.points) }, constraints = json.list(), fixed = self.fixed, lag = self.lag,
    trial_seconds = self.trial_seconds, retries = self.retries,
  }
  for i, each in ipairs(self.objectives) do doc.objective[i] = { [each.direction] = each.path } end
  for i, each in ipairs(self.constraints) do doc.constraints[i] = each.text end
  return doc
end

local function named(part)
  if part == nil then return nil end
  return { [part.name] = part.options }
end

-- of_document(doc, name[, recipe]): the study again. The recipe must be at hand unchanged: where the document says, below the
-- current folder under its file's name, or where `recipe` says. A sampler that is a function is in the study's file only.
function study.of_document(doc, name, where)
  local path = where or doc.recipe
  if not where and not file.kind(path) then path = path:match "[^/]+$" end
  if not file.kind(path) then
    core.raise("study %s: its recipe %s is not here; say where with --recipe FILE", name, doc.recipe)
  end
  if file.digest(path) ~= doc.recipe_sha256 then
    core.raise("study %s: %s is not the recipe that the study was begun with (sha256 %s...)", name, path, doc.recipe_sha256:sub(1, 12))
  end
  if doc.sampler.name == "function" then
    if doc.file and file.kind(doc.file) then return study.load(doc.file) end
    core.raise("study %s: its sampler is a function of %s, which is not here", name, doc.file or "a study without a file")
  end
  return study.new {
    recipe = path, space = Space.from_document(doc.space), objective = doc.objective, watch = doc.watch,
    sampler = named(doc.sampler), stop = named(doc.stop), trials = doc.trials, seconds = doc.seconds, epochs = doc.epochs,
    seed = doc.seed, points = doc.points, constraints = doc.constraints, fixed = doc.fixed, lag = doc.lag,
    trial_seconds = doc.trial_seconds, retries = doc.retries, name = name,
  }
end

-- What two documents of one study must share, and what a change of it is called.
local parts = { { "space", "the space" }, { "objective", "the objective" }, { "sampler", "the sampler" }, { "stop", "the stopper" },
                { "seed", "the seed" }, { "fixed", "what is fixed" }, { "points", "the points to try first" },
                { "constraints", "the constraints" }, { "lag", "the lag" }, { "watch", "what is watched" } }

-- changes(before, now): what differs of two documents, as a list of words, "the space (lr was ..., is ...)"; the recipe's change apart
-- from that; the fields.
function study.changes(before, now)
  local list, fields = {}, {}
  for _, part in ipairs(parts) do
    local function plain(doc) return json.plain(json.decode(json.encode { doc[part[1]] })) end
    local was, is = plain(before), plain(now)
    if json.encode(was) ~= json.encode(is) then
      local how = require("exeunt.search.difference").of(part[1], was[1], is[1])
      list[#list + 1] = part[2] .. (how ~= "" and " (" .. how .. ")" or "")
      fields[#fields + 1] = part[1]
    end
  end
  return list, before.recipe_sha256 ~= now.recipe_sha256, fields
end

-- What the stopper sees of a study, and which way is better.
local function watched(doc)
  local direction, path = next(doc.objective[1])
  return direction .. " " .. (doc.watch or path)
end

-- Whether another recipe, or other fixed knobs, change nothing of what trials are: none has ended well, nobody works on one
-- (lease_length), and no step of theirs is anything to a stopper.
local function recipe_may_change(now, trials)
  for _, trial in ipairs(trials) do
    if trial.state ~= "failed" and (trial.state ~= "running" or (trial.lease_length or 0) > 0) then return false end
    if now.stop and #trial.steps > 0 then return false end
  end
  return true
end

-- mended(before, now, trials): the document of a study that was put right, where that changes nothing of what its trials are: what is
-- optimised while no trial is complete, what the stopper sees while none has a step, the recipe and what is fixed while none has ended
-- well, all of it without trials. Otherwise, and where nothing was, nil.
function study.mended(before, now, trials)
  if #trials == 0 then return now end
  local valued, stepped = false, false
  for _, trial in ipairs(trials) do
    valued = valued or trial.state == "complete"
    stepped = stepped or #trial.steps > 0
  end
  if stepped and watched(before) ~= watched(now) then return nil end
  local doc = {}
  for key, value in pairs(before) do doc[key] = value end
  local _, edited, fields = study.changes(before, now)
  local anew = recipe_may_change(now, trials)
  edited = edited and anew
  if #fields == 0 and not edited then return nil end
  local may = { objective = not valued, constraints = not valued, watch = true, stop = not stepped, fixed = anew }
  for _, field in ipairs(fields) do
    if not may[field] then return nil end
    doc[field] = now[field]
  end
  doc.directions = now.directions
  if edited then doc.recipe, doc.recipe_sha256 = now.recipe, now.recipe_sha256 end
  return doc
end

-- most(): how many trials there can be: the budget's, or a grid's points; math.huge where neither says.
function Study:most()
  local most = self.trials or math.huge
  if self.sampler.size then most = math.min(most, #self.points + self.sampler:size(self.space)) end
  return most
end

function Study:__tostring()
  local goals = {}
  for i, each in ipairs(self.objectives) do goals[i] = each.direction .. " " .. each.path end
  return ("study %s: %s over %s of %s, by %s%s"):format(self.name, table.concat(goals, ", "), table.concat(self.space.names, ", "),
    self.recipe, self.sampler.name, self.stop and " with " .. self.stop.name or "")
end

-- is(x): whether it is a study.
function study.is(x) return getmetatable(x) == Study end

return setmetatable(study, { __call = function(_, given) return study.new(given) end })
