-- search/journal.lua: the journal of an SQLite store FILE: FILE.jsonl, a line of JSON for each committed event, enough to make
-- the store anew. A line is written within its transaction, right before the commit, while no other process can write. So
-- the journal is at most one event ahead: one whose transaction was cut off between the two. Its number `seq` is then given
-- again, and of lines with the same number the last one counts. It interprets no event (search/replay.lua does).

local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"

local Journal = {}
Journal.__index = Journal

local ORDER = { "seq", "event", "study", "number", "name", "state", "finish", "params", "values" }
local FIRST_TAIL = 4096

-- new(path of the SQLite file)
function Journal.new(path) return setmetatable({ file = path, path = path .. ".jsonl" }, Journal) end

-- encode(event): its line.
function Journal.encode(event) return json.encode(event, ORDER, "event") .. "\n" end

-- Within a transaction of db, last: numbers the event and writes its line; durable: to the disk.
function Journal:add(db, event, durable)
  event.seq = tonumber((db:first "UPDATE exeunt_store SET events = events + 1 RETURNING events"))
  core.check(core.C.ex_journal_append(self.path, Journal.encode(event), durable and 1 or 0))
end

-- last() -> the number of the last whole event, or nil where there is none.
function Journal:last()
  local handle = io.open(self.path, "rb")
  if not handle then return nil end
  local size, room, found = handle:seek "end", FIRST_TAIL, nil
  repeat
    handle:seek("set", math.max(size - room, 0))
    local text = handle:read "*a" or ""
    if room < size then text = text:match "\n(.*)" or "" end       -- the first line may be a part of one
    for line in (text:match "^.*\n" or ""):gmatch "([^\n]+)\n" do
      local ok, event = pcall(json.decode, line)
      if ok and type(event) == "table" and type(event.seq) == "number" then found = event.seq end
    end
    room = room * 8
  until found or room / 8 >= size
  handle:close()
  return found
end

-- lines() -> list of its lines, without their ends. Raises where there is no journal.
function Journal:lines()
  if not file.kind(self.path) then core.raise("%s: its journal %s is not there", self.file, self.path) end
  local list = {}
  for line in file.read(self.path):gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

-- What to do about a damaged file.
function Journal:advice()
  if not file.kind(self.path) then return ("; its journal %s is not there: go back to a copy of it"):format(self.path) end
  return ("; its journal holds what it held: `exeunt study rebuild --store %s` makes it anew"):format(self.file)
end

-- check(db, tail): refuses a database that has not all that its journal had before it was opened (tail: last()'s number
-- then): an emptied file, one put back from an older copy, or one that lost its last transactions in a power cut.
function Journal:check(db, tail)
  if not tail then return end
  local there = db:first "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'exeunt_store'"
  local events = there and tonumber((db:first "SELECT events FROM exeunt_store")) or 0
  if events < tail - 1 then
    core.raise("%s: it is damaged: it has %d of the %d events of its journal%s", self.file, events, tail, self:advice())
  end
end

return Journal
