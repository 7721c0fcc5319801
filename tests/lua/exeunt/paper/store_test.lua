-- store_test.lua: what was added is there again, with what made it; a cut-off line goes, any other damage is named; one run at a
-- time adds to it.

local lu = require "luaunit"
local ex = require "exeunt"
local environment = require "exeunt.environment"
local file = require "exeunt.file"
local folder = dofile "tests/support/folder.lua"

TestStore = {}

function TestStore:setUp()
  self.folder = folder.make()
  self.path = self.folder .. "/new/cells.jsonl"
end

function TestStore:tearDown() folder.remove(self.folder) end

local a, b = { net = "x", scheme = "se", seed = 1, lr = 1e-4 }, { net = "x", scheme = "mix", seed = 1, lr = 1e-4 }

function TestStore:test_what_was_added_is_found_again()
  local store = ex.paper.store(self.path)
  lu.assertNil(store:find(a))
  store:add(a, { top1 = 0.1 })
  store:add(b, { top1 = 0.30000000000000004 })
  store = ex.paper.store(self.path)
  lu.assertEquals(#store.records, 2)
  lu.assertEquals(store:find(a).result.top1, 0.1)
  lu.assertEquals(store:find(b).result.top1, 0.30000000000000004)
  lu.assertNil(store:find { net = "x", scheme = "mix", seed = 2, lr = 1e-4 })
  lu.assertNil(store:find { net = "x", scheme = "mix", seed = 1, lr = 1e-3 })
end

function TestStore:test_a_line_that_was_cut_off_is_taken_away()
  local store = ex.paper.store(self.path)
  store:add(a, { top1 = 0.1 })
  local whole = file.read(self.path)
  for _, cut in ipairs { 1, 20, #whole - 2 } do
    file.write(self.path, whole .. whole:sub(1, cut))
    store = ex.paper.store(self.path)
    lu.assertEquals(#store.records, 1)
    lu.assertEquals(file.read(self.path), whole)
  end
end

-- All but the end of the line: the cell is finished.
function TestStore:test_a_line_that_lacks_its_end_alone_is_kept()
  local store = ex.paper.store(self.path)
  store:add(a, { top1 = 0.1 })
  store:add(b, { top1 = 0.2 })
  local whole = file.read(self.path)
  file.write(self.path, whole:sub(1, -2))
  store = ex.paper.store(self.path)
  lu.assertEquals(store:find(b).result.top1, 0.2)
  lu.assertEquals(file.read(self.path), whole)
  store:add({ net = "y", scheme = "se", seed = 1 }, { top1 = 0.3 })
  lu.assertEquals(#ex.paper.store(self.path).records, 3)
end

-- What another run is just writing is not mended: it would be written to a file that is no more.
function TestStore:test_a_line_that_is_being_written_is_left_alone()
  local mine = ex.paper.store(self.path)
  local claim = mine:claim()
  mine:add(a, { top1 = 0.1 })
  local whole = file.read(self.path)
  for _, cut in ipairs { 20, #whole - 1 } do
    file.write(self.path, whole .. whole:sub(1, cut))
    lu.assertEquals(#ex.paper.store(self.path).records, 1)
    lu.assertEquals(file.read(self.path), whole .. whole:sub(1, cut))
  end
  claim:free()
  file.write(self.path, whole .. whole:sub(1, 20))
  mine:claim():free()
  lu.assertEquals(file.read(self.path), whole)
end

function TestStore:test_other_damage_is_named()
  file.make_folder(self.folder .. "/new")
  for _, text in ipairs { "nonsense\n", "[1]\n", '{"cell": 3, "result": {}}\n', "\n", '{"cell": {}, "result": {}, "made": {}}\n' } do
    file.write(self.path, text)
    lu.assertErrorMsgContains(self.path .. ": line 1 is no cell's result", ex.paper.store, self.path)
  end
  file.remove(self.path)
  local store = ex.paper.store(self.path)
  for seed = 1, 3 do store:add({ net = "x", scheme = "se", seed = seed }, { top1 = 0.1 }) end
  local whole = file.read(self.path)
  local _, first = whole:find "\n"
  file.write(self.path, whole:sub(1, first + 20) .. ("\0"):rep(30) .. whole:sub(first + 51))
  lu.assertErrorMsgEquals(self.path .. ": line 2 is no cell's result; take the line away to train its cell again", ex.paper.store,
                           self.path)
end

function TestStore:test_who_made_it()
  local store, e = ex.paper.store(self.path), environment()
  store:add(a, { top1 = 0.1 })
  local want = { version = e.version, cpu = e.cpu, isa = e.isa, threads = e.threads, exact = e.exact }
  lu.assertEquals(store:find(a).made, want)
  lu.assertEquals(ex.paper.store(self.path):find(a).made, want)
  file.append(self.path, '{"cell": {"net": "old", "scheme": "se"}, "result": {"top1": 0.5}}\n')      -- of an older version
  store = ex.paper.store(self.path)
  lu.assertEquals({ #store.records, store:find({ net = "old", scheme = "se" }).result.top1 }, { 2, 0.5 })
  lu.assertNil(store:find({ net = "old", scheme = "se" }).made)
end

function TestStore:test_one_run_at_a_time()
  local mine, theirs = ex.paper.store(self.path), ex.paper.store(self.path)
  local claim = mine:claim()
  lu.assertErrorMsgContains(self.path .. ": another run is adding cells to it (", theirs.claim, theirs)
  mine:add(a, { top1 = 0.1 })
  claim:free()
  lu.assertNil(theirs:find(a))
  lu.assertErrorMsgContains("cannot lock /proc/.none.lock", ex.paper.store("/proc/none").claim, ex.paper.store "/proc/none")
  lu.assertErrorMsgContains("paper.store: expected the path of a file of results, got ''", ex.paper.store, "")
  claim = theirs:claim()
  lu.assertEquals(theirs:find(a).result.top1, 0.1)                   -- what was added before
  claim:free()
end

os.exit(lu.LuaUnit.run())
