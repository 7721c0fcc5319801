-- The view of a search: the block of a terminal, the lines elsewhere.
local lu = require "luaunit"
local view = require "exeunt.search.view"

TestView = {}

local function stream()
  local s = { parts = {} }
  function s:write(...) for _, text in ipairs { ... } do self.parts[#self.parts + 1] = text end end
  function s.flush() end
  function s:text() return table.concat(self.parts) end
  return s
end

local study = { name = "bowl", directions = { "minimize" }, objectives = { { direction = "minimize", path = "loss" } } }

local function trial(number, state, value, more)
  local t = { number = number, state = state, params = { x = number }, values = value and { value }, steps = {} }
  for k, v in pairs(more or {}) do t[k] = v end
  return t
end

local trials = {
  trial(0, "complete", 3, { finish = 1 }), trial(1, "failed", nil, { finish = 2, error = "it\nbroke" }),
  trial(2, "complete", 1, { finish = 4 }), trial(3, "complete", 2, { finish = 3 }),
  trial(4, "running", nil, { worker = "worker 1 host:7", steps = { { 2, 0.5 } } }),
}

function TestView.test_the_block()
  local now, out = 0, stream()
  local v = view.new { study = study, most = 8, workers = 1, stream = out, tty = true, width = 60, clock = function() return now end }
  v:update {}
  now = 10
  lu.assertEquals(v:block(trials, 80, 24), {
    "study bowl  [============            ]  4/8 trials  10s  about 10s left",
    "trials  3 complete, 1 failed, 1 running", "best    trial 2: loss 1  x=2", "worker 1  trial 4  step 2: 0.5  x=4",
    "failed  trial 1: it broke",
  })
  v:update(trials)
  lu.assertStrContains(out:text(), "\27[3A\rstudy bowl")         -- over the three lines of the first drawing
  for line in out:text():gmatch "[^\n]+" do lu.assertTrue(#line < 60 + 14, line) end
  local before = out:text()
  v:update(trials)                                              -- too soon
  lu.assertEquals(out:text(), before)
end

-- What a small terminal holds: a short bar, no more lines than rows, no half of a letter.
function TestView.test_a_small_terminal()
  local many, out = {}, stream()
  for i = 0, 11 do many[i + 1] = trial(i, "running", nil, { worker = ("worker %d host:%d"):format(12 - i, i) }) end
  for i = 12, 15 do many[i + 1] = trial(i, "failed", nil, { error = ("ü"):rep(90), finish = i }) end
  local v = view.new { study = study, most = 16, workers = 12, stream = out, tty = true, width = 40, height = 12,
                       clock = function() return 0 end }
  v:update(many)
  local block = v:block(many, 40, 12)
  lu.assertEquals({ #block, block[1] }, { 11, "study bowl  [===         ]  4/16 trials  0s" })
  lu.assertEquals({ block[4], block[8], block[9] }, { "worker 1  trial 11  begun  x=11", "... and 8 more",
                                                      "failed  trial 15: " .. ("ü"):rep(90) })
  lu.assertStrContains(out:text(), "\nfailed  trial 15: " .. ("ü"):rep(39 - 18) .. "\27[K\n")
  many[1].worker = "worker 12 other:3"
  lu.assertEquals(v:block(many, 40, 24)[4], "worker 1 host:11  trial 11  begun  x=11")              -- of two machines
  for height = 1, 8 do lu.assertTrue(#v:block(many, 40, height) <= math.max(3, height - 1)) end
end

function TestView.test_lines_where_there_is_no_terminal()
  local out = stream()
  local v = view.new { study = study, most = 8, workers = 1, stream = out, tty = false, clock = function() return 0 end }
  v:update { trials[1] }
  v:update(trials)
  lu.assertEquals(out:text(), "trial 1  failed  it broke  x=1\ntrial 3  complete  loss 2  x=3  (best so far)\n"
                              .. "trial 2  complete  loss 1  x=2  (best so far)\n")
end

-- What breaks a constraint is no best, and is said to.
function TestView.test_broken_constraints()
  local out, some = stream(), { trial(0, "complete", 1, { finish = 1, constraints = { 2 } }), trial(1, "complete", 3, { finish = 2 }) }
  local v = view.new { study = study, most = 8, workers = 1, stream = out, tty = false, clock = function() return 0 end }
  v:update {}
  v:update(some)
  lu.assertEquals(out:text(), "trial 0  complete  loss 1  x=0  (breaks a constraint)\ntrial 1  complete  loss 3  x=1  (best so far)\n")
  lu.assertEquals(v:block(some, 80, 24)[2], "trials  2 complete, 1 of them breaking a constraint")
  some[2].constraints = { 0, 1 }
  local block = v:block(some, 80, 24)
  lu.assertEquals({ block[2], block[3] }, { "trials  2 complete, 2 of them breaking a constraint", "best    none yet" })
end

os.exit(lu.LuaUnit.run())
