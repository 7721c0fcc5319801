-- `exeunt search` and what is wrong with a command line; searches themselves: tests/lua/exeunt/search.
local lu = require "luaunit"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local search = dofile "tests/support/search.lua"

TestSearch = {}

function TestSearch:setUp() self.path = search.place() end
function TestSearch:tearDown() search.remove(self.path) end

function TestSearch:says(arguments, code_expected, text)
  local code, _, err = search.run(self.path, "", arguments)
  lu.assertEquals(code, code_expected, err)
  lu.assertStrContains(err, text)
  lu.assertEquals(select(2, err:gsub("\n", "")), 1, err)
end

function TestSearch:test_mistakes()
  search.study(self.path, 'sampler = "random", trials = 1')
  self:says("search", 2, "search: missing argument 'study'")
  self:says("search study.lua --worker 2", 2, "unknown option '--worker'; did you mean '--workers'?")
  self:says("search study.lua --workers 0", 2, "--workers must be a whole number from 1 to 1024, got '0'")
  self:says("search study.lua --lease 0", 2, "--lease must be a number above 0, got '0'")
  self:says("search none.lua", 1, "there is no study none.lua")
  self:says("search bowl.lua", 1, "a study's file must end with `return ex.study { ... }`")
end

function TestSearch:test_files_that_are_no_studies_of_a_search()
  local yaml = "space: { x: { uniform: [-5, 5] } }\nobjective: { minimize: loss }\ntrials: 2\n"
  file.write(self.path .. "/points.yaml", yaml)
  self:says("search points.yaml", 1, "points.yaml: study: it has no recipe to run (recipe: FILE): a search needs one; without one its "
    .. "points are for `exeunt ask points.yaml`, and something else tries them")
  file.write(self.path .. "/points.yaml", yaml .. "recpie: bowl.lua\n")
  self:says("search points.yaml", 1, "unknown option 'recpie'; did you mean 'recipe'?")
  for _, name in ipairs { "my.txt", "my" } do
    file.write(self.path .. "/" .. name, yaml)
    self:says("search " .. name, 1, name .. ": a study is a file called *.lua, *.yaml or *.yml")
  end
  self:says("ask my.txt", 1, "my.txt: a study is a file called *.lua, *.yaml or *.yml")
end

function TestSearch:test_for_a_person()
  search.study(self.path, "sampler = 'grid'", "{ x = ex.choice { 1, 0.5 } }")
  local code, out, err = search.run(self.path, "--store here/s.db --runs there")
  lu.assertEquals(code, 0, err)
  lu.assertStrMatches(out, "study study: 2 trials in %d+s %(2 complete%)\nbest: trial 1, loss 0.25\n  x=0.5\n  there/study/0001\n"
    .. "  again: exeunt run bowl.lua x=0.5 %-%-seed 420\n")
  lu.assertEquals(err, "trial 0  complete  loss 1  x=1  (best so far)\ntrial 1  complete  loss 0.25  x=0.5  (best so far)\n")
end

function TestSearch:test_nothing_left_to_do()
  search.study(self.path, 'sampler = "random", trials = 1')
  lu.assertNotStrContains(select(2, search.run(self.path, "")), "left to do")
  local code, out = search.run(self.path, "")
  lu.assertEquals(code, 0)
  lu.assertStrMatches(out, "study study: 1 trial in .*\nnothing was left to do: 1 of 1 trials; a larger budget goes on "
    .. "%(trials, seconds or epochs in study.lua, or %-%-trials N%)\n")
  lu.assertNotStrContains(select(2, search.run(self.path, "--trials 2")), "left to do")
  search.study(self.path, "sampler = 'grid', name = 'grid'", "{ x = ex.choice { 1, 0.5 } }")
  search.run(self.path, "")
  lu.assertStrMatches(select(2, search.run(self.path, "")), ".*\nnothing was left to do: all 2 points of the grid have been tried\n")
end

-- Where the budget is not used up it is the sampler that had no more.
function TestSearch:test_a_sampler_that_has_no_more()
  search.study(self.path, "trials = 9, sampler = function(ask) return ask.number < 2 and { x = ask.number } or nil end")
  local words = "the sampler gave no point for trial 2 %(it returned nil%)\n"
  lu.assertStrMatches(select(2, search.run(self.path)), ".*\nended before its budget: " .. words)
  lu.assertStrMatches(select(2, search.run(self.path)), ".*\nnothing was left to do: " .. words)
  search.study(self.path, "name = 'finite', trials = 9", "{ x = ex.choice { 1, 0.5 } }")
  lu.assertStrMatches(select(2, search.run(self.path)), ".*\nended before its budget: all 2 points of the space have been tried\n")
end

-- A sampler's error is the search's, once; what it prints is beside the search's output.
function TestSearch:test_a_sampler_that_fails()
  search.study(self.path, "trials = 9, sampler = function() print('asked', 1) io.write 'written' error 'no idea' end")
  local code, out, err = search.run(self.path, "--workers 2 --json")
  lu.assertEquals({ code, out }, { 1, "" })
  lu.assertStrMatches(err, "exeunt: study study: no point for trial [01]: study.lua:2: no idea\n")
  lu.assertStrContains(file.read(self.path .. "/runs/study/worker-1.err") .. file.read(self.path .. "/runs/study/worker-2.err"),
                       "asked\t1\nwritten")
  code, out, err = search.run(self.path, nil, "ask study.lua --json")
  lu.assertEquals({ code, out }, { 1, "" })
  lu.assertStrMatches(err, "asked\t1\nwrittenexeunt: study study: no point for trial [01]: study.lua:2: no idea\n")
end

function TestSearch:test_json_is_one_document()
  search.study(self.path, "sampler = 'grid'", "{ x = ex.choice { 1, 0.5 } }")
  local code, out = search.run(self.path, "--json")
  lu.assertEquals({ code, select(2, out:gsub("\n", "")) }, { 0, 1 })
  local doc = json.decode(out)
  lu.assertEquals({ doc.study, doc.store, doc.trials, doc.failed }, { "study", "runs/studies.db", 2, 0 })
  lu.assertEquals(doc.best, { { number = 1, values = { 0.25 }, params = { x = 0.5 }, run_dir = "runs/study/0001" } })
  local again, same = search.run(self.path, "--json")           -- there is nothing more to do
  lu.assertEquals({ again, json.decode(same).best }, { 0, doc.best })
end

os.exit(lu.LuaUnit.run())
