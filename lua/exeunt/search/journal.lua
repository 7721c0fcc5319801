-- search/journal.lua: the journal of an SQLite store FILE: FILE.jsonl, a line of JSON for each committed event, enough to make
-- the store anew. A line is written within its transaction, right before the commit, while no other process can write. So
-- the journal is at most one event ahead: one whose transaction was cut off between the two. Its number `seq` is then given
-- again, and of lines with the same number the last one counts. An event "store" holds all there is: what is before it is not
-- needed. A journal that was removed, cut short or lost lines gets such an event, since the database has all (search/store.lua).
-- It interprets no event (search/events.lua does).

local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"

local Journal = {}
Journal.__index = Journal

local ORDER = { "seq", "event", "identity", "study", "number", "name", "state", "finish", "params", "values" }
local FIRST_TAIL, LONG = 4096, 2 ^ 16

-- new(path of the SQLite file): where that is a link, the journal lies beside the file that it leads to, so that a store has one,
-- whatever name is used.
function Journal.new(path) return setmetatable({ file = path, path = file.real(path) .. ".jsonl" }, Journal) end

-- Refuses a store's name that is a journal's.
function Journal:check_name()
  local store = self.file:match "^(.*)%.jsonl$"
  if store and file.kind(self.file) and not file.kind(self.path) then
    core.raise("%s is a journal or an export, no store%s", self.file, file.kind(store) and ": name " .. store or "")
  end
end

-- encode(event): its line.
function Journal.encode(event) return json.encode(event, ORDER, "event") .. "\n" end

-- size(): its bytes; 0 where it is not there.
function Journal:size() return file.kind(self.path) == "file" and (file.stat(self.path)) or 0 end

-- Does it lack events that it has had? Where it is longer than it was, a transaction was cut off behind its line: that may have been
-- the one that was to mend it, and the next event takes its number.
function Journal:cut(events, known)
  local size = self:size()
  return size < known or size > known and Journal.gaps(self:scan(), events) > 0
end

-- add(db, event, durable, everything) -> whether it was found cut short. Within a transaction of db, last: numbers the event and
-- writes its line, or where the journal lacks some that of everything(), which the event is a part of. durable: to the disk.
function Journal:add(db, event, durable, everything)
  local events, known = db:first "SELECT events, journal FROM exeunt_store"
  local cut = self:cut(tonumber(events), tonumber(known) or 0)
  if cut and event.event ~= "store" then event = everything() end
  event.seq = tonumber(events) + 1
  core.check(core.C.ex_journal_append(self.path, Journal.encode(event), durable and 1 or 0))
  db:execute("UPDATE exeunt_store SET events = $1, journal = $2", event.seq, self:size())
  return cut
end

-- A line's event, or nil where it is none.
local function decoded(line)
  local ok, event = pcall(json.decode, line)
  return ok and type(event) == "table" and type(event.seq) == "number" and event.seq == event.seq and event or nil
end

-- The number of a line's event, or nil. A long one, as "store" is, is not read whole: both ends are looked at.
local function number_of(line)
  if #line > LONG then return line:byte(#line) == 125 and tonumber(line:match '^{"seq": (%d+), ') or nil end      -- 125: }
  local event = decoded(line)
  return event and event.seq
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
    for line in (text:match "^.*\n" or ""):gmatch "([^\n]+)\n" do found = number_of(line) or found end
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

-- scan() -> the kinds of its events by their numbers, and the store that the last event "store" names; nil: none.
function Journal:scan()
  local kinds, identity = {}, nil
  for line in (file.kind(self.path) and file.read(self.path) or ""):gmatch "[^\n]+" do
    local event = decoded(line)
    if event then kinds[event.seq] = event.event end
    if event and event.event == "store" then identity = event.identity end
  end
  return kinds, identity
end

-- gaps(kinds, last) -> of the events up to the last that a rebuild needs, how many are not there, and the first of them; and
-- whether one of them is of the kind "store".
function Journal.gaps(kinds, last)
  local count, first = 0, nil
  for seq = last, 1, -1 do
    if kinds[seq] == "store" then return count, first, true end
    if not kinds[seq] then count, first = count + 1, seq end
  end
  return count, first, false
end

-- Of its events, how many a rebuild would lack, and how many there were; nil where no study is left in it.
function Journal:left()
  local last, kinds, begun = self:last() or 0, self:scan(), false
  for seq = 1, last do begun = begun or kinds[seq] == "store" or kinds[seq] == "study" or kinds[seq] == "import" end
  if not begun then return nil end
  return Journal.gaps(kinds, last), last
end

-- What can be done about a store that is damaged or, with `gone`, not there: words that follow that.
function Journal:advice(gone)
  if not file.kind(self.path) then
    return (", or no store; no journal %s is there to make it anew: go back to a copy of it"):format(self.path)
  end
  local lacks, events = self:left()
  local rebuild = "`exeunt study rebuild --store " .. file.shell_word(self.file)
  if not lacks then
    return ("; its journal %s holds no study that can be read: look for a copy of either%s"):format(self.path,
       gone and ", or move that one away, and `exeunt search STUDY` makes a new store" or "")
  elseif lacks > 0 then
    return ("; its journal %s lacks %d of its %d events: look for a copy of either, or take what it has with %s --partial`"):format(
      self.path, lacks, events, rebuild)
  end
  return (gone and ", but its journal is there: %s` makes it anew" or "; its journal holds what it held: %s` makes it anew"):format(rebuild)
end

-- Is it this database's journal? One without an event "store" may be.
function Journal:check_identity(db, identity)
  local own = db:first "SELECT identity FROM exeunt_store"
  if identity and own and own ~= identity then
    core.raise("%s: its journal %s is another store's: put its own back, or move that one away and it is written anew", self.file,
               self.path)
  end
end

-- check(db, tail): refuses a database that has not all that its journal had before it was opened (tail: last()'s number
-- then): an emptied file, one put back from an older copy, or one that lost its last transactions in a power cut.
function Journal:check(db, tail)
  if not tail then return end
  local there = db:first "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'exeunt_store'"
  local events = there and tonumber((db:first "SELECT events FROM exeunt_store")) or 0
  if events >= tail - 1 then return end
  if events > 0 and pcall(db.execute, db, "SELECT identity FROM exeunt_store") then
    self:check_identity(db, select(2, self:scan()))
  end
  core.raise("%s: it is damaged: it has %d of the %d events of its journal", self.file, events, tail)
end

-- whole(db): does it look as it did after the last event? What is no more than a glance: a line that was changed in its middle, the
-- length kept, is seen by a rebuild only.
function Journal:whole(db)
  local events, known = db:first "SELECT events, journal FROM exeunt_store"
  if self:size() ~= tonumber(known) then return false end
  local last = self:last() or 0
  return last == tonumber(events) or last == tonumber(events) + 1
end

-- lacks(db) -> within a transaction of db: what the journal lacks, as words; "" where it has but to be begun; nil: nothing.
function Journal:lacks(db)
  local kinds, identity = self:scan()
  self:check_identity(db, identity)
  local events = tonumber((db:first "SELECT events FROM exeunt_store"))
  local count, first, begun = Journal.gaps(kinds, events)
  if count == 0 then return not begun and "" or nil end
  if not file.kind(self.path) then return "was not there" end
  return ("lacked %d of %d events (the first: number %d)"):format(count, events, first)
end

return Journal
