-- What is said of trials that others have, and when.
local lu = require "luaunit"
local Waiting = require "exeunt.search.waiting"

TestWaiting = {}

local function running(number, worker) return { number = number, state = "running", worker = worker, lease_length = 90 } end

function TestWaiting.test_soon_and_then_every_few_minutes()
  local now, mine = 0, {}
  local waiting = Waiting.new("s", function(trial) return mine[trial.number] end, function() return now end)
  local trials, said = { running(0, "me"), { number = 1, state = "complete" } }, {}
  for _, at in ipairs { 0, 0.5, 1.2, 2, 300, 302, 303 } do
    now = at
    if waiting:look(trials) then said[#said + 1] = at end
  end
  lu.assertEquals(said, { 1.2, 302 })
  mine[0], now = true, 1000
  lu.assertNil(waiting:look(trials))
  mine[0] = nil
  lu.assertNil(waiting:look(trials))        -- it waits from now on
  now = 1002
  lu.assertStrContains(waiting:look(trials), "trial 0 of me")
  now = 2000
  lu.assertNil(waiting:look { trials[2] })
end

function TestWaiting.test_what_is_said()
  local worker, asked = running(3, "worker 1 box:77"), running(4, "ask")
  lu.assertEquals(Waiting.text("s", { worker }), "waiting for trial 3 of worker 1 box:77 (lease of 1m 30s); whom nobody hears of in the "
    .. "time of a lease loses the trial to another")
  lu.assertStrContains(Waiting.text("s", { worker, asked }), "loses the trial to another: `exeunt tell s 4 VALUE` or --failed WHY ends it")
  local many = {}
  for i = 1, 11 do many[i] = worker end
  lu.assertStrContains(Waiting.text("s", many), ", 3 more; ")
end

os.exit(lu.LuaUnit.run())
