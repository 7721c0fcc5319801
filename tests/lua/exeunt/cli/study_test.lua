-- `exeunt study` on the command line: what it refuses; what it does: trials_test.lua and tests/lua/exeunt/search.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local support = dofile "tests/support/search_store.lua"

TestStudyCommand = {}

function TestStudyCommand:setUp()
  self.it = support.make { objective = { { minimize = "loss" } } }
  self.store = " --store " .. command.quote(self.it.path)
end

function TestStudyCommand:tearDown() support.remove(self.it) end

function TestStudyCommand:refused(line, code, message)
  local r = command.run("study " .. line .. self.store)
  lu.assertEquals({ r.code, r.out, select(2, r.err:gsub("\n", "")) }, { code, "", 1 }, r.err)
  lu.assertStrContains(r.err, message)
end

function TestStudyCommand:test_mistakes()
  self:refused("", 2, "study: missing argument 'action'")
  self:refused("exprot s", 2, "study: unknown action 'exprot'; did you mean 'export'?")
  self:refused("export t", 1, "holds no study 't'; there is only s")
  self:refused("import", 2, "study: import: which file?")
  self:refused("import none.jsonl", 1, "none.jsonl")
  self:refused("rebuild s", 2, "rebuild makes a whole store anew: say which with --store FILE, not 's'")
  self:refused("rebuild", 1, "it is whole: there is nothing to rebuild")
end

function TestStudyCommand:test_an_export_takes_the_file_for_the_name()
  local r = command.run("study export somewhere/s.lua" .. self.store)
  lu.assertEquals({ r.code, r.err }, { 0, "" })
  lu.assertStrMatches(r.out, '{"event": "study", "name": "s", .+}\n')
end

os.exit(lu.LuaUnit.run())
