-- cli/study.lua: `exeunt study export NAME` writes a study as JSON lines, `study import FILE` takes them into a store, `study
-- rebuild` makes a damaged SQLite store anew from its journal, `study delete NAME` takes a study away with its trials. What is there
-- already is never written over, and no run's folder is removed.

local core = require "exeunt.core"
local file = require "exeunt.file"
local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"

local command = { about = "export, import, delete or rebuild studies", usage = "export STUDY | import FILE | delete STUDY | rebuild" }

local actions = {}

local function trials_text(n) return ("%d trial%s"):format(n, n == 1 and "" or "s") end

local function need(given, action, what)
  return given.what or usage.fail("study: %s: which %s?", action, what)
end

function actions.export(given)
  local name = need(given, "export", "study")
  local store = stored.open(given.store)
  local lines = table.concat(store:export(stored.find(store, name).id), "\n") .. "\n"
  store:close()
  if not given.out then return usage.write(io.stdout, lines) end
  if file.kind(given.out) then core.raise("%s is there already", given.out) end
  file.write(given.out, lines)
end

function actions.import(given)
  local path = need(given, "import", "file")
  local lines = {}
  for line in file.read(path):gmatch "[^\n]+" do lines[#lines + 1] = line end
  local study = require("exeunt.search.store").exported(lines, path)        -- before a store is made
  if given.as and (given.as == "" or given.as:find "%c") then usage.fail "study: --as must be a text in one line" end
  local store = stored.open(given.store, "make")
  store:import(study, given.as)
  if given.json then stored.print({ study = study.name, trials = #study.trials }, { "study" })
  else usage.write(io.stdout, ("study '%s' with %s is in %s\n"):format(study.name, trials_text(#study.trials), store.name)) end
  store:close()
end

-- The folders that hold these trials' runs and are there.
local function folders_of(trials)
  local list, known = require("exeunt.report.json").list(), {}
  for _, trial in ipairs(trials) do
    local folder = trial.run_dir and trial.run_dir:match "^(.*)/[^/]*$"
    if folder and not known[folder] and file.kind(folder) then list[#list + 1] = folder end
    known[folder or ""] = true
  end
  return list
end

function actions.delete(given)
  local name = need(given, "delete", "study")
  local store = stored.open(given.store, "write")
  local study = stored.find(store, name)
  local folders = folders_of((store:trials(study.id)))
  local trials = store:delete(study.id, given.force)
  store:close()
  if given.json then return stored.print({ study = study.name, trials = trials, runs = folders }, { "study", "trials", "runs" }) end
  usage.write(io.stdout, ("study '%s' with %s is deleted from %s%s\n"):format(study.name, trials_text(trials), store.name,
    #folders > 0 and "; the runs stay in " .. table.concat(folders, ", ") or ""))
end

function actions.rebuild(given)
  if given.what then usage.fail("study: rebuild makes a whole store anew: say which with --store FILE, not '%s'", given.what) end
  local Store = require "exeunt.search.store"
  local path = given.store or Store.default
  if path:match "^postgres%w*://" then usage.fail "study: rebuild is for SQLite files: a server has backups of its own" end
  local r = require "exeunt.search.rebuild"(path, { partial = given.partial })
  if given.json then return stored.print(r) end
  local unread, lacks = r.unread > 0, r.lacks > 0
  usage.write(io.stdout, ("%s is made anew from its journal: %d %s, %s%s%s%s\n"):format(path, r.studies,
    r.studies == 1 and "study" or "studies", trials_text(r.trials),
    unread and ("; %d line%s could not be read"):format(r.unread, r.unread == 1 and "" or "s") or "",
    lacks and ("; %d events are lost, with them at least %s"):format(r.lacks, trials_text(r.lost)) or "",
    r.kept and ("; what was there is kept as %s"):format(r.kept) or ""))
end

function command.main(args)
  local p = usage.parser("study", "Writes a study as JSON lines (export), takes such into a store (import), takes a study away with all "
    .. "its trials but not their runs (delete), or makes a damaged SQLite store anew from the journal beside it (rebuild).")
  p:argument("action", "export, import, delete or rebuild.")
  p:argument("what", "export, delete: the study's name; import: the file."):args "?"
  p:option("--out", "export: write to this file instead of standard output."):argname "FILE"
  p:option("--as", "import: under this name."):argname "NAME"
  p:flag("--force", "delete: although a worker is at it.")
  p:flag("--partial", "rebuild: although the journal lacks events.")
  stored.options(p)
  local given = usage.parse("study", p, args)
  local action = actions[given.action]
  if not action then
    usage.fail("study: unknown action '%s'%s", given.action,
               usage.suggest(given.action, { "export", "import", "delete", "rebuild" },
                             "; there are export, import, delete and rebuild"))
  end
  require("exeunt.signals").install "now"
  return action(given)
end

return command
