-- store_test.lua: what was added is there again; a cut-off line goes, any other damage is named.

local lu = require "luaunit"
local ex = require "exeunt"
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
  for _, cut in ipairs { 1, 20 } do
    file.write(self.path, whole .. whole:sub(1, cut))
    store = ex.paper.store(self.path)
    lu.assertEquals(#store.records, 1)
    lu.assertEquals(file.read(self.path), whole)
  end
end

function TestStore:test_other_damage_is_named()
  file.make_folder(self.folder .. "/new")
  for _, text in ipairs { "nonsense\n", "[1]\n", '{"cell": 3, "result": {}}\n', "\n" } do
    file.write(self.path, text)
    lu.assertErrorMsgContains(self.path .. ": line 1 is no cell's result", ex.paper.store, self.path)
  end
end

os.exit(lu.LuaUnit.run())
