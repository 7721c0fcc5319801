-- Where runs go: studies of the same name in several stores, or one after the other, do not share a folder.

local lu = require "luaunit"
local file = require "exeunt.file"
local command = dofile "tests/support/command.lua"
local support = dofile "tests/support/search_store.lua"
local place = require "exeunt.search.place"

TestPlace = {}

function TestPlace:setUp()
  self.it, self.other = support.make(), support.make()
  self.runs = self.it.folder .. "/runs"
end

function TestPlace:tearDown()
  support.remove(self.it)
  support.remove(self.other)
end

-- The folder's name, and whether it is not the study's.
function TestPlace:of(it, id)
  local folder, shifted = place.folder(self.runs, it.store, id or it.id)
  lu.assertEquals(file.kind(folder), "folder")
  return folder:sub(#self.runs + 2), shifted
end

function TestPlace:test_two_stores()
  lu.assertEquals({ self:of(self.it) }, { "s", false })
  lu.assertEquals({ self:of(self.other) }, { "s-2", true })
  for _ = 1, 2 do
    lu.assertEquals({ self:of(self.it) }, { "s", false })
    lu.assertEquals({ self:of(self.other) }, { "s-2", true })
  end
end

function TestPlace:test_a_study_after_a_deleted_one()
  local store = self.it.store
  lu.assertEquals(self:of(self.it), "s")
  store:delete(self.it.id)
  lu.assertEquals(self:of(self.it, store:create("s", { seed = 1 })), "s-2")
  lu.assertEquals(self:of(self.it, store:create("s-2", {})), "s-2-2")
end

function TestPlace:test_what_is_there_already()
  file.make_folder(self.runs .. "/s/0000")             -- from before folders said whose they are
  lu.assertEquals(self:of(self.other), "s")
  file.make_folder(self.runs .. "/t")
  file.write(self.runs .. "/t/run.json", "{}")         -- a run that is called as the study
  lu.assertEquals(self:of(self.it, self.it.store:create("t", {})), "t-2")
  file.write(self.runs .. "/u", "a file")
  lu.assertEquals(self:of(self.it, self.it.store:create("u", {})), "u-2")
  file.make_folder(self.runs .. "/v")
  file.write(self.runs .. "/v/.study", "")             -- its process was killed in that instant
  lu.assertEquals(self:of(self.it, self.it.store:create("v", {})), "v")
end

-- Another comes in the instant between looking and writing.
function TestPlace:test_whoever_is_first_has_it()
  local open, first = io.open, true
  io.open = function(path, mode)                       -- luacheck: ignore 122
    if first and path:match "%.study$" then
      first = false
      file.write(path, "another 1 0\n")
    end
    return open(path, mode)
  end
  local ok, name = pcall(self.of, self, self.it)
  io.open = open                                       -- luacheck: ignore 122
  lu.assertTrue(ok, name)
  lu.assertEquals(name, "s-2")
  lu.assertEquals(file.read(self.runs .. "/s/.study"), "another 1 0\n")
end

-- Eight processes that want a folder at the same time, from two stores.
function TestPlace:test_at_once()
  local scripts = {}
  for i, it in ipairs { self.it, self.other } do
    scripts[i] = support.script(it, ("print(select(1, require('exeunt.search.place').folder(%q, store, id)))"):format(self.runs))
  end
  local program = os.getenv "EXEUNT" or "./exeunt"
  local r = command.shell(("for i in 1 2 3 4; do %s script %s >%s.$i & %s script %s >%s.$i & done; wait; cat %s.* | sort | uniq -c; "
    .. "cat %s.* | sort | uniq -c"):format(program, scripts[1], scripts[1], program, scripts[2], scripts[2], scripts[1], scripts[2]))
  lu.assertEquals(r.err, "")
  local seen = {}
  for count, name in r.out:gmatch "(%d+) %S*/(s%S*)" do
    lu.assertEquals(count, "4", r.out)
    lu.assertNil(seen[name])
    seen[name] = true
  end
  lu.assertEquals(seen, { s = true, ["s-2"] = true })
end

os.exit(lu.LuaUnit.run())
