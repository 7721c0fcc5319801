-- Events to studies: what each kind does, repeated numbers, and events that make no sense.

local lu = require "luaunit"
local events = require "exeunt.search.events"

TestEvents = {}

local study = '{"seq": 1, "event": "study", "study": 3, "name": "s", "document": {"seed": 1}, "created": 5}'

local function read(...) return events.read({ study, ... }, "j") end

function TestEvents.test_a_life()
  local studies, unread, last = read(
    '{"seq": 2, "event": "claim", "study": 3, "number": 0, "state": "running", "seen": 0, "worker": "w", "attempts": 1}',
    '{"seq": 3, "event": "propose", "study": 3, "number": 0, "params": {"x": 0.5}, "point": "k"}',
    '{"seq": 4, "event": "report", "study": 3, "number": 0, "step": 2, "value": null}',
    '{"seq": 5, "event": "report", "study": 3, "number": 0, "step": 1, "value": 7}',
    '{"seq": 6, "event": "finish", "study": 3, "number": 0, "state": "complete", "values": [1], "finish": 1, "seconds": 2}',
    '{"seq": 7, "event": "claim", "study": 3, "number": 1, "state": "running", "seen": 1, "worker": "w", "attempts": 1}',
    '{"seq": 8, "event": "withdraw", "study": 3, "number": 1}')
  local s = studies[3]
  lu.assertEquals({ unread, last, s.name, s.document, s.created, s.next, s.finished, #s.trials }, { 0, 8, "s", { seed = 1 }, 5, 1, 1, 1 })
  local t = s.trials[1]
  lu.assertEquals({ t.state, t.params, t.point, t.values, t.seconds, t.steps[1] }, { "complete", { x = 0.5 }, "k", { 1 }, 2, { 1, 7 } })
  lu.assertEquals(t.steps[2][1], 2)
  lu.assertNotEquals(t.steps[2][2], t.steps[2][2])
end

function TestEvents.test_a_study_gets_another_document()
  local s = read('{"seq": 2, "event": "claim", "study": 3, "number": 0, "worker": "w"}',
                 '{"seq": 3, "event": "amend", "study": 3, "document": {"seed": 2}}')[3]
  lu.assertEquals({ s.name, s.document, s.created, #s.trials }, { "s", { seed = 2 }, 5, 1 })
  lu.assertErrorMsgContains("j: line 2: it has no document", read, '{"seq": 2, "event": "amend", "study": 3}')
end

-- An event whose transaction was cut off: the next one has its number.
function TestEvents.test_of_the_same_number_the_last_counts()
  local studies = read('{"seq": 2, "event": "claim", "study": 3, "number": 0, "worker": "dead"}',
                       '{"seq": 2, "event": "claim", "study": 3, "number": 0, "worker": "w"}')
  lu.assertEquals(studies[3].trials[1].worker, "w")
end

function TestEvents.test_lines_that_are_no_json_are_counted()
  local studies, unread = read('{"seq": 2, "ev', '{"seq": 2, "event": "claim", "study": 3, "number": 4, "worker": "w"}')
  lu.assertEquals({ unread, studies[3].next }, { 1, 5 })
end

function TestEvents.test_nonsense()
  for line, message in pairs {
    ['{"event": "fly", "study": 3}'] = "j: line 2: an unknown event, fly",
    ['7'] = "j: line 2: it is no event",
    ['{"event": "claim", "study": 4, "number": 0}'] = "j: line 2: there is no study 4 before it",
    ['{"event": "claim", "study": 3}'] = "j: line 2: it names no trial",
    ['{"event": "claim", "study": 3, "number": -1}'] = "j: line 2: it names no trial",
    ['{"event": "claim", "study": 3, "number": 0, "state": 7}'] = "j: line 2: its state is a number",
    ['{"event": "propose", "study": 3, "number": 0, "params": "x"}'] = "j: line 2: its params is a string",
    ['{"event": "report", "study": 3, "number": 0, "step": 0.5, "value": 1}'] = "j: line 2: its step or value is none",
    ['{"event": "import", "study": 5, "name": "x", "lines": []}'] = "j: line 2: an import of nothing",
    ['{"event": "study", "study": 5, "name": "x"}'] = "j: line 2: a study without a name or a document",
  } do
    lu.assertErrorMsgContains(message, read, line)
  end
end

os.exit(lu.LuaUnit.run())
