-- `exeunt worker` on the command line: which study, what is wrong; how it works: tests/lua/exeunt/search/worker_test.lua.

local lu = require "luaunit"
local search = dofile "tests/support/search.lua"

TestWorkerCommand = {}

function TestWorkerCommand:setUp()
  self.path = search.place()
  search.study(self.path, 'sampler = "random", trials = 2')
  local code, _, err = search.run(self.path, "--trials 1")
  lu.assertEquals(code, 0, err)
end

function TestWorkerCommand:tearDown() search.remove(self.path) end

-- exeunt worker: its exit code and standard error.
function TestWorkerCommand:worker(arguments)
  local code, out, err = search.run(self.path, "", "worker " .. arguments)
  lu.assertEquals(out, "")
  return code, err
end

function TestWorkerCommand:says(arguments, code_expected, text)
  local code, err = self:worker(arguments)
  lu.assertEquals({ code, select(2, err:gsub("\n", "")) }, { code_expected, 1 }, err)
  lu.assertStrContains(err, text)
end

function TestWorkerCommand:test_the_only_study_needs_no_name()
  local code, err = self:worker "runs/studies.db --slot 7"
  lu.assertEquals(code, 0, err)
  lu.assertStrMatches(err, "trial 1: x=%S+\ntrial 1: complete, %S+  %(%S+ s%)\n")
  lu.assertStrMatches(search.trials(self.path)[2].worker, "worker 7 .+:%d+")
  lu.assertEquals({ self:worker "runs/studies.db study" }, { 0, "study study: nothing was left to do: 2 of 2 trials; a larger budget goes "
    .. "on (trials, seconds or epochs in the study's file, or --trials N)\n" })
end

function TestWorkerCommand:test_mistakes()
  self:says("", 2, "worker: missing argument 'address'")
  self:says("runs/studies.db study --slto 3", 2, "unknown option '--slto'; did you mean '--slot'?")
  self:says("runs/studies.db --slot 0", 2, "--slot must be a whole number from 1")
  self:says("study.lua", 2, "the first argument is a store (a file, or postgresql://...), and study.lua looks like a study's file")
  self:says("runs/none.db", 1, "there is no store runs/none.db: begin a study with exeunt search STUDY --store runs/none.db")
  self:says("runs/studies.db sutdy", 1, "runs/studies.db holds no study 'sutdy'; did you mean 'study'?")
  require("exeunt.file").write(self.path .. "/a.yaml", "space: { k: { choice: [a] } }\nobjective: { minimize: l }\nsampler: grid\n")
  lu.assertEquals((search.run(self.path, "", "ask a.yaml")), 0)
  self:says("runs/studies.db", 2, "worker: which study? runs/studies.db holds study, a")
  self:says("runs/studies.db a", 1, "study 'a' has no recipe to run: its trials are asked for and told")
end

-- The study asks for what the recipe does not give: its exit code says that it is the study's fault.
function TestWorkerCommand:test_a_wrong_study()
  search.study(self.path, 'sampler = "random", trials = 2, name = "other", constraints = { "sizes <= 1" }')
  lu.assertEquals((search.run(self.path)), 1)
  local code, err = self:worker "runs/studies.db other --runs elsewhere"
  lu.assertEquals(code, 2)
  lu.assertStrMatches(err, "trial 0: x=%S+\nexeunt: study other: trial 0: its result has no sizes; did you mean 'size'%? put it right .+\n")
end

os.exit(lu.LuaUnit.run())
