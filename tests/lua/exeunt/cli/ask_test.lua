-- `exeunt ask` on the command line: what it prints, what it refuses; whole searches by hand: tests/lua/exeunt/search/asked_test.lua.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local json = require "exeunt.report.json"

TestAsk = {}

function TestAsk:setUp()
  self.folder = command.folder()
  command.write(self.folder .. "/s.yaml",
                "space: { k: { choice: [a, b] }, w: { choice: [[1, 2]] } }\nobjective: { minimize: l }\nsampler: grid\n")
end

function TestAsk:tearDown() command.remove(self.folder) end

function TestAsk:run(arguments, store)
  return command.run(("ask %s --store %s/%s"):format(arguments:gsub("FILE", self.folder .. "/s.yaml"), self.folder, store or "x.db"))
end

function TestAsk:refused(arguments, code, message)
  local r = self:run(arguments)
  lu.assertEquals({ r.code, r.out, r.err }, { code, "", "exeunt: " .. message .. "\n" })
end

function TestAsk:test_for_a_shell_and_as_json()
  local r = self:run "FILE --worker me"
  lu.assertEquals({ r.code, r.err }, { 0, "" })
  lu.assertStrMatches(r.out, "number=0\nk=[ab]\nw=%[1, 2%]\n")
  local trial = json.decode(self:run("s --json").out)
  lu.assertEquals({ trial.number, trial.params.w }, { 1, { 1, 2 } })
  lu.assertNotEquals("k=" .. trial.params.k, r.out:match "k=.")
  local trials = json.decode(command.run(("trials s --json --store %s/x.db"):format(self.folder)).out)
  lu.assertEquals({ trials[1].worker, trials[2].worker }, { "me", "ask" })
end

function TestAsk:test_what_it_refuses()
  self:refused("", 2, "ask: missing argument 'study'")
  self:refused("FILE --lease never", 2, "ask: --lease must be a number above 0, got 'never'")
  self:refused("FILE --laese 3", 2, "ask: unknown option '--laese'; did you mean '--lease'?")
  self:refused("none.yaml", 1, "there is no file none.yaml")
  command.write(self.folder .. "/s.yaml", "space: { k: { chioce: [a, b] } }\nobjective: { minimize: l }\n")
  self:refused("FILE", 1, self.folder .. "/s.yaml:1: space: k: there is no distribution 'chioce'; did you mean 'choice'?")
end

os.exit(lu.LuaUnit.run())
