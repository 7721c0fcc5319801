-- The journal: its last event is found whatever its end looks like; its lines are what was committed.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local support = dofile "tests/support/search_store.lua"
local json = require "exeunt.report.json"
local Journal = require "exeunt.search.journal"

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
  lu.assertEquals(kinds, { "study", "claim", "propose", "finish" })
end

function TestJournal:test_what_fails_leaves_no_event()
  local store = self.it.store
  lu.assertError(store.claim, store, 9, { worker = "w" })
  lu.assertEquals(#store.journal:lines(), 1)
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
  } do
    command.write(path .. ".jsonl", text)
    lu.assertEquals(journal:last(), last)
  end
  command.write(path .. ".jsonl", "")
  lu.assertNil(journal:last())
end

function TestJournal:test_without_a_journal()
  os.remove(self.it.path .. ".jsonl")
  lu.assertStrContains(self.it.store.journal:advice(), "is not there: go back to a copy")
  lu.assertErrorMsgContains("s.db.jsonl is not there", self.it.store.journal.lines, self.it.store.journal)
end

os.exit(lu.LuaUnit.run())
