-- search/rebuild.lua: an SQLite store that is damaged or gone, made anew from its journal. Refuses where the store is whole, and
-- where the journal is known to lack events, unless what it has is asked for. Nothing that was there is written over or removed.

local core = require "exeunt.core"
local file = require "exeunt.file"
local options = require "exeunt.options"
local schema = require "exeunt.search.schema"
local events = require "exeunt.search.events"
local Database = require "exeunt.search.database"
local Journal = require "exeunt.search.journal"
local Store = require "exeunt.search.store"

local ENDINGS = { "-wal", "-shm", "" }        -- the file last: its log must not meet a new one

-- Is there a store in this file that has all of its journal, without damage? Raises where something else keeps it from being opened: a
-- store of a newer version, or one that another process holds, is not to be moved aside.
local function whole(path)
  if not file.kind(path) then return false end
  local ok, answer = pcall(function()
    local store = Store.open(path, { read = true })
    local said = store.db:first "PRAGMA integrity_check(1)"
    store:close()
    return said == "ok"
  end)
  if ok then return answer end
  if answer:find(": it is damaged", 1, true) or answer:find("I/O error", 1, true) then return false end
  core.raise("%s; this is no damage: where the store is to be made anew all the same, move the file away first", answer)
end

-- How many trials of these studies their journal does not have, as far as can be seen.
local function lost(studies)
  local count = 0
  for _, study in pairs(studies) do count = count + study.lost end
  return count
end

local function count(n, one, many) return ("%d %s"):format(n, n == 1 and one or many) end

-- Refuses a journal that lacks events.
local function check(journal, studies, about)
  local n = #events.ids(studies)
  if n == 0 and about.last == 0 and about.unread > 0 then
    core.raise("%s: none of its lines can be read as an event: look for a copy of it", journal.path)
  end
  if about.lacks == 0 and about.skipped == 0 then return end
  core.raise("%s: it lacks %d of its %d events%s: %s would be missing, and others unfinished%s", journal.path, about.lacks, about.last,
    about.first and (" (the first: number %d)"):format(about.first) or "", count(lost(studies), "trial", "trials"),
    n > 0 and "; look for a copy of it, or take what it has with --partial" or "; no study is left in it: look for a copy of it")
end

-- Writes the studies to a new file.
local function write(path, studies, about)
  for _, ending in ipairs(ENDINGS) do
    if file.kind(path .. ending) then file.remove(path .. ending) end
  end
  local db, trials = Database.open(path), 0
  schema.prepare(db)
  db:transact(function()
    for _, id in ipairs(events.ids(studies)) do
      events.write(db, id, studies[id], true)
      trials = trials + #studies[id].trials
    end
    db:execute("UPDATE exeunt_store SET events = $1, made = $2", about.last, about.made)
    if about.identity then db:execute("UPDATE exeunt_store SET identity = $1", about.identity) end
  end)
  db:execute "PRAGMA wal_checkpoint(TRUNCATE)"
  db:close()
  return trials
end

-- A name beside the file that nothing has yet: PATH.damaged, PATH.damaged-2, ...
local function free_name(path)
  local name, n = path .. ".damaged", 1
  local function taken()
    for _, ending in ipairs(ENDINGS) do
      if file.kind(name .. ending) then return true end
    end
  end
  while taken() do
    n = n + 1
    name = ("%s.damaged-%d"):format(path, n)
  end
  return name
end

-- Moves what was there aside -> under what name; nil: no file was there.
local function put_aside(path)
  local name, kept = free_name(path), nil
  for _, ending in ipairs(ENDINGS) do
    if file.kind(path .. ending) then
      local ok, why = os.rename(path .. ending, name .. ending)
      if not ok then core.raise("cannot rename %s", why) end
      kept = ending == "" and name or kept
    end
  end
  return kept
end

-- given: the path as a person has it; a link to the store stays one, and what it leads to is made anew.
local function rebuild(given, partial)
  if whole(given) then core.raise("%s: it is whole: there is nothing to rebuild", given) end
  local journal, path = Journal.new(given), file.real(given)
  local size, studies, about, trials, kept
  repeat                                      -- again where somebody still wrote to it; now that the file has gone, nobody can
    size = journal:size()
    studies, about = events.read(journal:lines(), journal.path, true)
    if not partial or next(studies) == nil then check(journal, studies, about) end
    trials = write(path .. ".rebuilt", studies, about)
    kept = put_aside(path) or kept
  until journal:size() == size
  local ok, why = os.rename(path .. ".rebuilt", path)
  if not ok then core.raise("cannot rename %s", why) end
  Store.open(path):close()                    -- mends its journal where that is needed
  return { studies = #events.ids(studies), trials = trials, unread = about.unread, lacks = about.lacks, lost = lost(studies),
           kept = kept }
end

-- rebuild(path[, { partial = false }]) -> { studies, trials, unread = lines that could not be read, lacks = events that are missing,
-- lost = trials that are missing, kept = the name under which is what was there }. partial: also from a journal that lacks events.
return function(path, given)
  local o = options.check("rebuild", given or {}, { partial = false })
  local journal = Journal.new(path)
  journal:check_name()
  if not file.kind(journal.path) and not file.kind(path) then
    core.raise("there is no store %s, nor its journal %s", path, journal.path)
  end
  local lock = file.lock_beside(file.real(path))        -- its file stays: two might hold it otherwise
  local ok, result = pcall(rebuild, path, o.partial)
  lock:free()
  if not ok then error(result, 0) end
  return result
end
