-- Processes of their own: started, waited for, ended with and without mercy.
local lu = require "luaunit"
local child = require "exeunt.child"
local file = require "exeunt.file"
local folder = dofile "tests/support/folder.lua"

TestChild = {}

function TestChild:setUp() self.path = folder.make() end
function TestChild:tearDown() folder.remove(self.path) end

local function shell(text, more)
  local o = { argv = { "/bin/sh", "-c", text } }
  for k, v in pairs(more or {}) do o[k] = v end
  return child.start(o)
end

function TestChild:test_code_and_streams()
  local c = shell("echo said; echo wrong >&2; exit 3", { out = self.path .. "/out", err = self.path .. "/err" })
  lu.assertEquals(c:wait(60), 3)
  c:free()
  lu.assertEquals(file.read(self.path .. "/out"), "said\n")
  lu.assertEquals(file.read(self.path .. "/err"), "wrong\n")
end

-- A shell that waits, and does `on_term` when it is asked to end; it is there when this returns.
function TestChild:waiting(on_term)
  local ready = self.path .. "/ready"
  local c = shell(("trap '%s' TERM; : >'%s'; while :; do sleep 0.01; done"):format(on_term, ready))
  while not file.kind(ready) do child.sleep(0.01) end
  return c
end

function TestChild:test_finish_gives_time_for_an_end_of_its_own() lu.assertEquals(self:waiting("exit 5"):finish(60), 5) end

function TestChild:test_finish_kills_what_does_not_end() lu.assertEquals(self:waiting(""):finish(0.05), 137) end

function TestChild:test_what_cannot_be_started()
  lu.assertErrorMsgContains("No such file", child.start, { argv = { self.path .. "/none" } })
  lu.assertErrorMsgContains("did you mean 'argv'?", child.start, { args = {} })
  lu.assertErrorMsgContains('"INT" or "KILL" or "TERM"', child.start, { argv = { "/bin/true" }, death = "HUP" })
end

os.exit(lu.LuaUnit.run())
