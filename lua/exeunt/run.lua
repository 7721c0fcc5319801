-- run.lua: runs a recipe: its folder, its lock, its settings, the log; what is printed and the exit code are the command's
-- (cli/run.lua). A folder holds
--     run.json                       the settings from the start, the whole document at the end
--     recipe.lua                     a copy of the recipe
--     log.jsonl                      a line an epoch
--     <train>.last|best.safetensors  the checkpoints; last and best are links to the first training's
--     lock                           held while the run goes on
-- A folder that is there already is refused, unless the run is resumed: then recipe, knobs and seed must be the same.
-- A run that fails before it has trained anything leaves no folder, so that the same command can be given again, put right.
-- A resumed recipe runs from the top again; its trainings know what they have done (train.lua). Nothing else keeps state.

local core = require "exeunt.core"
local context = require "exeunt.context"
local environment = require "exeunt.environment"
local ex = require "exeunt"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local knobs = require "exeunt.knobs"
local open_log = require "exeunt.report.runlog"
local options = require "exeunt.options"
local output = require "exeunt.output"
local Plan = require "exeunt.plan"
local recipe = require "exeunt.recipe"
local result = require "exeunt.result"
local signals = require "exeunt.signals"

local run = {}

local function usage_error(format, ...)
  error({ code = 2, message = format:format(...) }, 0)
end

-- f(...), whose failure is a mistake in the command line.
local function as_usage(f, ...)
  local ok, value = pcall(f, ...)
  if ok then return value end
  if type(value) == "table" then error(value, 0) end
  usage_error("%s", tostring(value))
end

-- -- The folder ----------------------------------------------------------------------------------------

local function name_of(path)
  return (path:match "([^/]+)$":gsub("%.lua$", ""))
end

-- The newest folder of an earlier run of this recipe: names sort by time.
local function newest(path)
  local prefix, found = name_of(path) .. "-", nil
  if file.kind "runs" == "folder" then
    for _, name in ipairs(file.list "runs") do
      local mine = name:sub(1, #prefix) == prefix and name:sub(#prefix + 1):match "^%d+%-%d+%-"
      if mine and file.kind("runs/" .. name .. "/run.json") then found = "runs/" .. name end
    end
  end
  return found or usage_error("run: there is no earlier run of %s in runs/ to resume; say which with --out DIR", path)
end

-- A name that is free: two runs may begin in one second.
local function fresh_name(path, seed)
  local name = ("runs/%s-%s-%s"):format(name_of(path), os.date "%Y%m%d-%H%M%S", knobs.show(seed))
  local free, n = name, 1
  while file.kind(free) do
    n = n + 1
    free = ("%s-%d"):format(name, n)
  end
  return free
end

-- What a run.json says about the run it belongs to.
local function read_settings(folder)
  local path = folder .. "/run.json"
  if file.kind(path) ~= "file" then usage_error("run: %s holds no run (no run.json in it)", folder) end
  local ok, doc = pcall(json.decode, file.read(path))
  doc = ok and json.plain(doc)
  if type(doc) ~= "table" or type(doc.knobs) ~= "table" or type(doc.recipe_sha256) ~= "string" then
    core.raise("%s: not the document of a run", path)
  end
  return doc
end

-- -- Settings: recipe, knobs, seed -----------------------------------------------------------------------

-- The knobs of a resumed run are those it had; one that is given again must be the same.
local function resumed_knobs(declared, given, before, folder)
  local values = {}
  for name, value in pairs(before) do
    if not declared.kinds[name] then core.raise("%s: its run.json has a knob %s that the recipe does not know", folder, name) end
    values[name] = value
  end
  values = knobs.resolve(declared, values)
  local asked = knobs.resolve(declared, given)
  for name in pairs(given) do
    if not knobs.same(asked[name], values[name]) then
      usage_error("run: knob %s has changed: %s was begun with %s=%s, not %s", name, folder, name,
                  knobs.show(values[name]), knobs.show(asked[name]))
    end
  end
  return values
end

local function check_recipe(path, before, digest, folder)
  if before.recipe_sha256 ~= digest then
    usage_error("run: the recipe %s has changed since %s was begun (its own copy: %s/recipe.lua)", path, folder, folder)
  end
end

local function knobs_document(declared, values)
  local out = {}
  for name, kind in pairs(declared.kinds) do
    local v = values[name]
    out[name] = v == nil and json.null or kind:match "s$" and json.list { unpack(v) } or v
  end
  return out
end

-- -- One run -----------------------------------------------------------------------------------------------

local Run = {}
Run.__index = Run

-- begin(o): loads the recipe, settles knobs and folder, takes the lock.
local function begin(o)
  local self = setmetatable({ path = o.recipe }, Run)
  self.recipe, self.text = recipe.load(o.recipe)
  self.digest = file.digest(o.recipe)
  local given = o.knobs or {}
  if o.seed ~= nil then given.seed = o.seed end
  if o.resume then self:reopen(o, given) else self:open(o, given) end
  self.declared = self.recipe.declared
  return self
end

function Run:take_lock()
  self.lock = file.lock(self.folder .. "/lock")
  file.sweep(self.folder)
end

function Run:open(o, given)
  self.knobs = as_usage(knobs.resolve, self.recipe.declared, given)
  self.folder = o.out or fresh_name(self.path, self.knobs.seed)
  if file.kind(self.folder) == "folder" and #file.list(self.folder) > 0 then
    usage_error(file.kind(self.folder .. "/run.json") and "run: %s is there already: go on with --resume, or choose another --out"
                or "run: %s is there already and holds no run: choose another --out", self.folder)
  end
  file.make_folder(self.folder)
  self:take_lock()
  file.write(self.folder .. "/recipe.lua", self.text)
end

function Run:reopen(o, given)
  self.folder = o.out or newest(self.path)
  if file.kind(self.folder) ~= "folder" then usage_error("run: there is no folder %s to resume", self.folder) end
  local before = read_settings(self.folder)
  check_recipe(self.path, before, self.digest, self.folder)
  self.knobs = as_usage(resumed_knobs, self.recipe.declared, given, before.knobs, self.folder)
  self.resume = true
  self:take_lock()
end

function Run:settings()
  return { recipe = self.path, recipe_sha256 = self.digest, seed = self.knobs.seed, run_dir = self.folder,
           knobs = knobs_document(self.declared, self.knobs), environment = environment() }
end

function Run:write_document(doc)
  local text = json.encode(doc, result.order, "run.json") .. "\n"
  file.write(self.folder .. "/run.json", text)
  return text
end

-- Runs the recipe and gives its result; an error gets the recipe's line.
function Run:perform()
  context.enter { folder = self.folder, seed = self.knobs.seed, resume = self.resume,
                  log = open_log(self.folder .. "/log.jsonl") }
  ex.seed(self.knobs.seed)
  signals.install "now"
  local ok, found = pcall(recipe.call, self.path, self.recipe.run, self.knobs)
  context.leave()
  if not ok then error(found, 0) end
  if result.is(found) then return found end
  if type(found) ~= "table" or getmetatable(found) then
    core.raise("%s: run must return ex.result { ... } or a table of numbers, it returned %s", self.path,
               found == nil and "nothing" or "a " .. type(found))
  end
  return recipe.call(self.path, result.plain, found)
end

-- Takes away the folder of a run that has kept nothing but its beginnings; what else lies there, stays.
local BEGINNINGS = { ["run.json"] = true, ["recipe.lua"] = true, lock = true }

function Run:forget()
  if self.resume then return end
  local names = file.list(self.folder)
  for _, name in ipairs(names) do
    if not BEGINNINGS[name] then return end
  end
  for _, name in ipairs(names) do os.remove(self.folder .. "/" .. name) end
  os.remove(self.folder)
end

-- An error after a signal is the signal's: exit code and message.
local function explain(why, folder)
  local signal = signals.requested()
  if signal and not (type(why) == "table" and why.code) then
    return { code = signal == "SIGTERM" and 143 or 130,
             message = ("stopped by %s; go on with --resume --out %s"):format(signal, folder) }
  end
  return why
end

-- execute{ recipe = path, knobs = { name = text }, seed, out, resume }: the result and the text of its document (one line
-- of JSON, also in the folder's run.json). Raises a line of text, or { code, message } where the exit code is not 1.
function run.execute(given)
  local o = options.check("run", given, { recipe = options.required, knobs = {}, seed = options.optional,
                                          out = options.optional, resume = false })
  local self = begin(o)
  local settings = self:settings()
  if not self.resume then self:write_document(settings) end
  local ok, found = pcall(self.perform, self)
  if not ok then
    found = explain(found, self.folder)
    if not signals.requested() then pcall(self.forget, self) end
    self.lock:free()
    error(found, 0)
  end
  local text = self:write_document(found:document(settings))
  self.lock:free()
  return found, text, self.folder
end

-- command{ recipe, knobs = { { name, text }, ... }, seed, threads, out, resume, json, debug }: `exeunt run`: prints the
-- result, as text or as one JSON document, and gives the exit code.
function run.command(o)
  local given = {}
  for _, knob in ipairs(o.knobs or {}) do given[knob[1]] = knob[2] end
  if o.threads then Plan.threads(o.threads) end
  local order = { recipe = o.recipe, knobs = given, seed = o.seed, out = o.out, resume = o.resume }
  local ok, found, text, folder
  if o.json then
    ok, found, text, folder = output.clean(run.execute, order)
  else
    ok, found, text, folder = pcall(run.execute, order)
  end
  if not ok then
    if o.debug and recipe.trace then io.stderr:write(recipe.trace:sub(2), "\n") end
    error(found, 0)
  end
  io.stdout:write(o.json and text or found:text())
  io.stderr:write("run: everything is in ", folder, "\n")
  return 0
end

-- plan_of(path, given knobs, clean): the plan of the recipe's first training, which is not begun, that training's name, and the
-- training, whose steps profile.training can take. clean: what the recipe prints goes to standard error.
function run.plan_of(path, given, clean)
  local found = recipe.load(path)
  local values = as_usage(knobs.resolve, found.declared, given or {})
  context.enter { seed = values.seed, plan_only = true }
  ex.seed(values.seed)
  local ok, why = (clean and output.clean or pcall)(recipe.call, path, found.run, values)
  context.leave()
  if ok then core.raise("%s: trains nothing, so it has no plan", path) end
  if type(why) == "table" and why.plan then return why.plan, why.name, why.training end
  error(why, 0)
end

return run
