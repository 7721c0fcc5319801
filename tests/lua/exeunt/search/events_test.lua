-- Events to studies: what each kind does, repeated numbers, and events that make no sense.

local lu = require "luaunit"
local events = require "exeunt.search.events"

TestEvents = {}

local study = '{"seq": 1, "event": "study", "study": 3, "name": "s", "document": {"seed": 1}, "created": 5}'

local function read(...) return events.read({ study, ... }, "j") end

function TestEvents.test_a_life()
  local studies, about = read(
    '{"seq": 2, "event": "claim", "study": 3, "number": 0, "state": "running", "seen": 0, "worker": "w", "attempts": 1}',
    '{"seq": 3, "event": "propose", "study": 3, "number": 0, "params": {"x": 0.5}, "point": "k"}',
    '{"seq": 4, "event": "report", "study": 3, "number": 0, "step": 2, "value": null}',
    '{"seq": 5, "event": "report", "study": 3, "number": 0, "step": 1, "value": 7}',
    '{"seq": 6, "event": "finish", "study": 3, "number": 0, "state": "complete", "values": [1], "finish": 1, "seconds": 2}',
    '{"seq": 7, "event": "claim", "study": 3, "number": 1, "state": "running", "seen": 1, "worker": "w", "attempts": 1}',
    '{"seq": 8, "event": "withdraw", "study": 3, "number": 1}')
  local s = studies[3]
  lu.assertEquals(about, { unread = 0, last = 8, lacks = 0, skipped = 0, made = 3 })
  lu.assertEquals({ s.name, s.document, s.created, s.next, s.finished, #s.trials, s.lost }, { "s", { seed = 1 }, 5, 1, 1, 1, 0 })
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
  local studies, about = read('{"seq": 2, "ev', '{"seq": 2, "event": "claim", "study": 3, "number": 4, "worker": "w"}')
  lu.assertEquals({ about.unread, studies[3].next }, { 1, 5 })
end

function TestEvents.test_what_is_missing_is_counted()
  local studies, about = read('{"seq": 2, "event": "claim", "study": 3, "number": 0}',
    '{"seq": 5, "event": "claim", "study": 3, "number": 2}',
    '{"seq": 6, "event": "claim", "study": 3, "number": 3}', '{"seq": 7, "event": "withdraw", "study": 3, "number": 3}',
    '{"seq": 8, "event": "claim", "study": 3, "number": 4}')
  lu.assertEquals({ about.lacks, about.first, studies[3].lost, studies[3].next }, { 2, 3, 1, 5 })    -- trial 1; 3 was withdrawn
end

-- An event "store" holds everything: what was before it, gaps and torn lines too, does not matter.
function TestEvents.test_all_there_is()
  local lines = { '{"seq": 1, "event": "study", "study": 1, "name": "old", "document": {}}', '{"torn', '{"seq": 8, "event": "fly"}',
    '{"seq": 9, "event": "store", "identity": "ab", "made": 7, "studies": [{"study": 3, "lines": [{"event": "study", "name": "s", '
    .. '"document": {"seed": 1}}, {"event": "trial", "number": 0, "state": "running", "lease": 5.5, "lease_length": 9}]}]}',
    '{"seq": 10, "event": "claim", "study": 3, "number": 1, "lease": 7}' }
  local studies, about = events.read(lines, "j")
  lu.assertEquals(about, { unread = 0, last = 10, lacks = 0, skipped = 0, made = 7, identity = "ab" })
  lu.assertEquals({ studies[1], studies[3].name, studies[3].trials[1].lease, studies[3].trials[2].lease }, { nil, "s", 5.5, 7 })
end

function TestEvents.test_a_deleted_study()
  local studies, about = read('{"seq": 2, "event": "claim", "study": 3, "number": 0}', '{"seq": 3, "event": "delete", "study": 3}')
  lu.assertEquals({ studies, about.made, about.lacks }, { {}, 3, 0 })
end

function TestEvents.test_what_its_study_is_missing_for()
  local lines = { '{"seq": 4, "event": "claim", "study": 3, "number": 0}' }
  lu.assertErrorMsgContains("j: line 1: there is no study 3 before it", events.read, lines, "j")
  local studies, about = events.read(lines, "j", true)
  lu.assertEquals({ studies, about.skipped, about.lacks, about.first }, { {}, 1, 3, 1 })
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
    ['{"event": "import", "study": 5, "name": "x", "lines": []}'] = "j: line 2: it holds no study",
    ['{"event": "store", "studies": [{"study": 3, "lines": []}]}'] = "j: line 2: it holds no study",
    ['{"event": "store", "studies": [7]}'] = "j: line 2: a study without its number",
    ['{"event": "claim", "study": "x", "number": 0}'] = "j: line 2: its study is no number",
    ['{"event": "claim", "study": 3, "number": 0, "worker": "a\\u0000b"}'] = "j: line 2: its worker holds the character 0",
    ['{"event": "study", "study": 5, "name": "a\\nb", "document": {}}'] = "j: line 2: a study's name must be a text in one line",
    ['{"event": "claim", "study": 3, "number": 0, "seq": 0.5}'] = "j: line 2: its seq is no number of an event",
    ['{"event": "study", "study": 5, "name": "x"}'] = "j: line 2: a study without a name or a document",
  } do
    lu.assertErrorMsgContains(message, read, line)
  end
end

os.exit(lu.LuaUnit.run())
