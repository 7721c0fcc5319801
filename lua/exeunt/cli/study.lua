-- cli/study.lua: `exeunt study export NAME` writes a study as JSON lines, `study import FILE` takes them into a store, `study
-- rebuild` makes a damaged SQLite store anew from its journal. What is there already is never written over.

local core = require "exeunt.core"
local file = require "exeunt.file"
local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"

local command = { about = "export, import or rebuild studies", usage = "export STUDY | import FILE | rebuild" }

local actions = {}

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
  local store = stored.open(given.store, true)
  local id = store:import(lines, given.as, path)
  local trials = #(store:trials(id))
  local name = given.as
  for _, study in ipairs(store:studies()) do
    if study.id == id then name = study.name end
  end
  usage.write(io.stdout, given.json and ('{"study": %s, "trials": %d}\n'):format(require("exeunt.report.json").encode(name), trials)
    or ("study '%s' with %d trials is in %s\n"):format(name, trials, store.name))
  store:close()
end

function actions.rebuild(given)
  if given.what then usage.fail("study: rebuild makes a whole store anew: say which with --store FILE, not '%s'", given.what) end
  local Store = require "exeunt.search.store"
  local path = given.store or Store.default
  if path:match "^postgres%w*://" then usage.fail "study: rebuild is for SQLite files: a server has backups of its own" end
  local r = Store.rebuild(path)
  if given.json then return stored.print(r) end
  usage.write(io.stdout, ("%s is made anew from its journal: %d %s, %d trials%s%s\n"):format(path, r.studies,
    r.studies == 1 and "study" or "studies", r.trials, r.unread > 0 and ("; %d lines could not be read"):format(r.unread) or "",
    r.kept and ("; what was there is kept as %s"):format(r.kept) or ""))
end

function command.main(args)
  local p = usage.parser("study", "Writes a study as JSON lines (export), takes such into a store (import), or makes a damaged SQLite "
    .. "store anew from the journal beside it (rebuild).")
  p:argument("action", "export, import or rebuild.")
  p:argument("what", "export: the study's name; import: the file."):args "?"
  p:option("--out", "export: write to this file instead of standard output."):argname "FILE"
  p:option("--as", "import: under this name."):argname "NAME"
  stored.options(p)
  local given = usage.parse("study", p, args)
  local action = actions[given.action]
  if not action then
    usage.fail("study: unknown action '%s'%s", given.action,
               usage.suggest(given.action, { "export", "import", "rebuild" }, "; there are export, import and rebuild"))
  end
  require("exeunt.signals").install "now"
  return action(given)
end

return command
