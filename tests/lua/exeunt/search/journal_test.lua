-- The journal: its last event is found whatever its end looks like; its lines are what was committed.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local support = dofile "tests/support/search_store.lua"
local json = require "exeunt.report.json"
local Journal = require "exeunt.search.journal"
local Store = require "exeunt.search.store"
local rebuild = require "exeunt.search.rebuild"

TestJournal = {}

function TestJournal:setUp() self.it = support.make() end
function TestJournal:tearDown() support.remove(self.it) end

function TestJournal:test_a_line_for_each_event()
  support.complete(self.it, 1)
  local kinds = {}
  for i, line in ipairs(self.it.store.journal:lines()) do
    local event = json.decode(line)
    lu.assertEquals(event.seq, i)
    kinds[i] = event.event
  end
  lu.assertEquals(kinds, { "store", "study", "claim", "propose", "finish" })
end

function TestJournal:test_what_fails_leaves_no_event()
  local store = self.it.store
  lu.assertError(store.claim, store, 9, { worker = "w" })
  lu.assertEquals(#store.journal:lines(), 2)
end

function TestJournal:test_the_last_event()
  local path = self.it.folder .. "/j"
  local journal = Journal.new(path)
  lu.assertNil(journal:last())
  for text, last in pairs {
    ['{"seq": 1}\n{"seq": 2}\n'] = 2,
    ['{"seq": 1}\n{"seq": 2'] = 1,
    ['{"seq": 1}\n{"se\n'] = 1,
    ['{"seq": 1}\n{"seq": 2, "text": "' .. ("x"):rep(100000) .. '"}\n'] = 2,
    ['{"seq": 1}\n{"seq": 2, "text": "' .. ("x"):rep(100000)] = 1,
    ['{"seq": 1}\n{"seq": 2, "text": "' .. ("x"):rep(100000) .. "\n"] = 1,
    ['{"seq": 1}\n{"seq": 2, "params": {"x": 1}\n'] = 1,
  } do
    command.write(path .. ".jsonl", text)
    lu.assertEquals(journal:last(), last)
  end
  command.write(path .. ".jsonl", "")
  lu.assertNil(journal:last())
end

function TestJournal:test_without_a_journal()
  os.remove(self.it.path .. ".jsonl")
  lu.assertStrContains(self.it.store.journal:advice(), ", or no store; no journal ")
  lu.assertErrorMsgContains("s.db.jsonl is not there", self.it.store.journal.lines, self.it.store.journal)
end

-- -- What it lacks ---------------------------------------------------------------------------------------------------------

function TestJournal.test_gaps()
  local function gaps(text)
    local kinds = {}
    for seq, kind in text:gmatch "(%d+)(%a+)" do kinds[tonumber(seq)] = kind end
    return { Journal.gaps(kinds, 5) }
  end
  lu.assertEquals(gaps "1store 2study 3claim 4propose 5finish", { 0, nil, true })
  lu.assertEquals(gaps "1study 2claim 3claim 4propose 5finish", { 0, nil, false })
  lu.assertEquals(gaps "1store 2study 5finish", { 2, 3, true })
  lu.assertEquals(gaps "1store 4store 5finish", { 0, nil, true })
  lu.assertEquals(gaps "1store 2study 3claim 4claim 6store", { 1, 5, true })          -- number 6 may not have been committed
  lu.assertEquals(gaps "", { 5, 1, false })
end

function TestJournal:test_a_scan_sees_lines_that_are_none()
  local path = self.it.folder .. "/j"
  command.write(path .. ".jsonl", '{"seq": 1, "event": "store", "identity": "ab12"}\n{"seq": 2, "event": "claim", "params": {"x": 0}\n'
    .. '\n{"seq": 3, "event": "finish", "number": 0}\n{"seq": 4, "event": "claim"}\n{"seq": 4, "event": "delete"}\n{"seq": 5, "ev')
  lu.assertEquals({ Journal.new(path):scan() }, { { [1] = "store", [3] = "finish", [4] = "delete" }, "ab12" })
end

-- -- It is mended from the database -------------------------------------------------------------------------------------------

-- What happens to a journal while nobody has the store open.
local harms = {
  ["was not there"] = function(path) os.remove(path) end,
  ["lacked 11 of 16 events %(the first: number 6%)"] = function(path, lines)
    command.write(path, table.concat(lines, "\n", 1, 5) .. "\n")
  end,
  ["lacked 2 of 16 events %(the first: number 7%)"] = function(path, lines)
    table.remove(lines, 7)
    table.remove(lines, 7)
    command.write(path, table.concat(lines, "\n") .. "\n")
  end,
  ["lacked 3 of 16 events %(the first: number 14%)"] = function(path, lines)        -- as after a power cut
    local text = table.concat(lines, "\n") .. "\n"
    local kept = #table.concat(lines, "\n", 1, 13) + 30
    command.write(path, text:sub(1, kept) .. ("\0"):rep(#text - kept))
  end,
  ["lacked 16 of 16 events %(the first: number 1%)"] = function(path) command.write(path, "") end,
}

-- Opens the store again -> what was said.
function TestJournal:reopen()
  local said, say = {}, Store.say
  Store.say = function(text) said[#said + 1] = text end
  self.it.store = Store.open(self.it.path)
  Store.say = say
  return said
end

-- The store, made anew from its journal alone, is as it was.
function TestJournal:assert_complete()
  local before = self.it.store:export(self.it.id)
  self.it.store:close()
  os.remove(self.it.path)
  lu.assertEquals(rebuild(self.it.path).lacks, 0)
  lu.assertEquals(self:reopen(), {})
  lu.assertEquals(self.it.store:export(self.it.id), before)
end

-- A fresh store with 16 events.
function TestJournal:fresh()
  support.remove(self.it)
  self.it = support.make()
  support.complete(self.it, 4)
  self.it.store:report(self.it.store:claim(self.it.id, { worker = "w" }), 2, 1 / 3)
end

function TestJournal:test_harmed_while_nobody_was_there()
  for what, harm in pairs(harms) do
    self:fresh()
    local lines = self.it.store.journal:lines()
    self.it.store:close()
    harm(self.it.path .. ".jsonl", lines)
    local said = self:reopen()
    lu.assertEquals(#said, 1, what)
    lu.assertStrMatches(said[1], ".*s%.db: its journal .*s%.db%.jsonl " .. what .. "; all that the store holds is written to it again")
    self.it.store:close()
    lu.assertEquals(self:reopen(), {})               -- once
    self:assert_complete()
  end
end

function TestJournal:test_harmed_while_it_is_in_use()
  for what, harm in pairs(harms) do
    self:fresh()
    local lines, said, say = self.it.store.journal:lines(), {}, Store.say
    harm(self.it.path .. ".jsonl", lines)
    Store.say = function(text) said[#said + 1] = text end
    support.complete(self.it, 2)
    Store.say = say
    local same_size = what:find "14"                 -- is seen by a rebuild only
    lu.assertEquals(#said, same_size and 0 or 1, what)
    if not same_size then lu.assertStrContains(said[1], "was removed or cut short; all that the store holds is written to it again") end
    self.it.store:close()
    lu.assertEquals(#self:reopen(), 0)
    if not same_size then self:assert_complete() end
  end
end

-- Killed while it was mended: the line is there, its transaction is not.
function TestJournal:test_killed_while_it_was_mended()
  self:fresh()
  local everything = Journal.encode(self.it.store:everything()):gsub("^{", '{"seq": 17, ')
  self.it.store:close()
  for _, text in ipairs { everything, everything:sub(1, 200) } do
    command.write(self.it.path .. ".jsonl", text)
    lu.assertEquals(#self:reopen(), 1)
    self:assert_complete()
    self:fresh()
    self.it.store:close()
  end
  self.it.store = Store.open(self.it.path)
end

-- The same where another process has the store open: the next event takes the number of the line that was to mend it.
function TestJournal:test_cut_off_while_it_was_mended_in_use()
  self:fresh()
  local store, other = self.it.store, Store.open(self.it.path)
  local lines, said, say = store.journal:lines(), {}, Store.say
  command.write(self.it.path .. ".jsonl", table.concat(lines, "\n", 1, 15) .. "\n")
  store.journal.add = function(...)
    Journal.add(...)
    error "cut off"
  end
  lu.assertErrorMsgContains("cut off", store.claim, store, self.it.id, { worker = "w" })
  store.journal.add = nil
  lu.assertStrContains(store.journal:lines()[16], '"event": "store"')
  Store.say = function(text) said[#said + 1] = text end
  other:claim(self.it.id, { worker = "w" })
  Store.say = say
  other:close()
  lu.assertEquals(#said, 1)
  store:close()
  lu.assertEquals(self:reopen(), {})
  self:assert_complete()
end

function TestJournal:test_another_stores_journal()
  self:fresh()
  local other = support.make()
  local path = self.it.path .. ".jsonl"
  for i = 1, 2 do                                    -- a shorter one and a longer one
    self.it.store:close()
    os.execute(("mv '%s' '%s.own' && cp '%s.jsonl' '%s'"):format(path, path, other.path, path))
    lu.assertErrorMsgContains("s.db.jsonl is another store's: put its own back, or move that one away", Store.open, self.it.path)
    os.execute(("mv '%s.own' '%s'"):format(path, path))
    lu.assertEquals(self:reopen(), {})
    if i == 1 then support.complete(other, 20) end
  end
  support.remove(other)
end

function TestJournal:test_a_store_of_an_earlier_version()
  local schema = require "exeunt.search.schema"
  local latest = table.remove(schema.migrations)
  local path = self.it.folder .. "/old.db"
  local db = require("exeunt.search.database").open(path)
  schema.prepare(db)
  table.insert(schema.migrations, latest)
  db:execute "INSERT INTO studies VALUES (4, 's', '{\"seed\": 1}', 5.5, 0, 0, 0)"
  db:execute "UPDATE exeunt_store SET events = 1"
  db:close()
  command.write(path .. ".jsonl", '{"seq": 1, "event": "study", "study": 4, "name": "s", "document": {"seed": 1}, "created": 5.5}\n')
  self.it.store:close()
  self.it.path, self.it.id = path, 4
  lu.assertEquals(self:reopen(), {})                 -- nothing is lost: nothing is said
  lu.assertEquals(self.it.store:create("t", {}), 5)
  self:assert_complete()
end

function TestJournal:test_a_link_has_no_journal_of_its_own()
  self:fresh()
  self.it.store:close()
  os.execute(("mkdir '%s/links' && ln -s '%s' '%s/links/s.db'"):format(self.it.folder, self.it.path, self.it.folder))
  local path = self.it.path
  for _, name in ipairs { self.it.folder .. "/links/s.db", path } do
    self.it.path = name
    lu.assertEquals(self:reopen(), {})
    support.complete(self.it, 1)
    self.it.store:close()
  end
  lu.assertEquals(require("exeunt.file").list(self.it.folder .. "/links"), { "s.db" })
  lu.assertEquals(self:reopen(), {})
  self:assert_complete()
end

-- A damaged store, or one that is gone, under a link's name: what is said can be done as it is said, and the link stays one.
function TestJournal:test_a_link_to_a_damaged_store()
  self:fresh()
  local before, path = self.it.store:export(self.it.id), self.it.path
  self.it.store:close()
  local link = self.it.folder .. "/my links/s's.db"
  os.execute(('mkdir "%s/my links" && ln -s ../s.db "%s"'):format(self.it.folder, link))
  for _, harm in ipairs { function() command.write(path, "junk " .. ("x"):rep(5000)) end, function() os.remove(path) end } do
    harm()
    local ok, message = pcall(Store.open, link)
    lu.assertFalse(ok)
    lu.assertStrContains(message, link)
    local advice = message:match "`exeunt (study rebuild .*)` makes it anew$"
    local r = command.run(advice)
    lu.assertEquals({ r.code, r.err }, { 0, "" })
    lu.assertEquals(require("exeunt.file").real(link), self.it.folder .. "/my links/../s.db")
    self.it.store = Store.open(link)
    lu.assertEquals(self.it.store:export(self.it.id), before)
    self.it.store:close()
  end
  lu.assertEquals(require("exeunt.file").list(self.it.folder .. "/my links"), { "s's.db" })
  os.remove(path .. ".jsonl")
  command.write(path, "junk " .. ("x"):rep(5000))
  lu.assertErrorMsgContains("s.db.jsonl is there to make it anew: go back to a copy of it", Store.open, link)
end

-- A store that is gone, and its journal harmed: what is true, and what can be done.
function TestJournal:test_gone_with_a_harmed_journal()
  self:fresh()
  local path, lines = self.it.path, self.it.store.journal:lines()
  self.it.store:close()
  os.remove(path)
  local function says(text)
    for _, make in ipairs { true, false } do
      lu.assertErrorMsgEquals(("there is no store %s%s"):format(path, text:gsub("JOURNAL", path .. ".jsonl"):gsub("STORE", path)),
                              Store.open, path, { make = make })
    end
    lu.assertNil(require("exeunt.file").kind(path))
  end
  says ", but its journal is there: `exeunt study rebuild --store STORE` makes it anew"
  command.write(path .. ".jsonl", table.concat(lines, "\n", 1, 5) .. "\n" .. table.concat(lines, "\n", 8) .. "\n")
  says("; its journal JOURNAL lacks 2 of its 16 events: look for a copy of either, or take what it has with "
    .. "`exeunt study rebuild --store STORE --partial`")
  for _, text in ipairs { "junk\n", table.concat(lines, "\n", 3) .. "\n" } do
    command.write(path .. ".jsonl", text)
    says("; its journal JOURNAL holds no study that can be read: look for a copy of either, or move that one away, and "
      .. "`exeunt search STUDY` makes a new store")
    lu.assertErrorMsgContains("look for a copy of it", rebuild, path)
    lu.assertErrorMsgContains("look for a copy of it", rebuild, path, { partial = true })
  end
  command.write(path .. ".jsonl", "")
  lu.assertErrorMsgContains("makes one; --store says where another is", Store.open, path, { make = false })
  self.it.store = Store.open(path)
end

function TestJournal:test_who_cannot_write_can_still_read()
  self.it.store:close()
  os.execute(("rm '%s.jsonl' && mkdir '%s.jsonl'"):format(self.it.path, self.it.path))
  lu.assertErrorMsgContains("s.db.jsonl: it is a folder", Store.open, self.it.path)
  local said, say = {}, Store.say
  Store.say = function(text) said[#said + 1] = text end
  self.it.store = Store.open(self.it.path, { make = false })
  Store.say = say
  lu.assertStrContains(said[1], "its journal is not mended: cannot read")
  lu.assertEquals(#self.it.store:studies(), 1)
end

os.exit(lu.LuaUnit.run())
