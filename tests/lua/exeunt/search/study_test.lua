-- Studies: what a file says, what is refused, and how one comes back from its document. No trial is run.
local lu = require "luaunit"
local ex = require "exeunt"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local studies = require "exeunt.search.study"
local search = dofile "tests/support/search.lua"

TestStudy = {}

function TestStudy:setUp()
  self.path = search.place()
  self.recipe = self.path .. "/bowl.lua"
end
function TestStudy:tearDown() search.remove(self.path) end

-- A study of the bowl; what is given takes the place of what is usual.
function TestStudy:study(given)
  local all = { recipe = self.recipe, space = { x = ex.uniform(-1, 1) }, objective = { minimize = "loss" }, trials = 3 }
  for k, v in pairs(given or {}) do all[k] = v ~= json.null and v or nil end
  return ex.study(all)
end

function TestStudy:test_what_is_usual()
  local s = self:study()
  lu.assertEquals({ s.seed, s.retries, s.sampler.name, s.trials, s.stop, s.lag }, { 420, 3, "tpe", 3, nil, nil })
  lu.assertEquals(s.objectives, { { direction = "minimize", path = "loss" } })
  lu.assertEquals(s.digest, file.digest(self.recipe))
  lu.assertStrContains(tostring(s), "minimize loss over x of")
end

function TestStudy:test_objectives()
  lu.assertEquals(self:study { objective = { minimize = "a", maximize = "b" } }.directions, { "maximize", "minimize" })
  lu.assertEquals(self:study { objective = { { minimize = "a" }, { maximize = "b" } } }.directions, { "minimize", "maximize" })
end

function TestStudy:test_how_many_there_can_be()
  lu.assertEquals(self:study():most(), 3)
  lu.assertEquals(self:study { trials = json.null, seconds = 5 }:most(), math.huge)
  local space = { kind = ex.choice { "a", "b" }, steps = ex.int(1, 3) }
  lu.assertEquals(self:study { trials = json.null, space = space, sampler = "grid", points = { { kind = "a", steps = 1 } } }:most(), 7)
end

-- -- What is refused ---------------------------------------------------------------------------------------------------

function TestStudy:refused(given, said)
  local ok, why = pcall(self.study, self, given)
  lu.assertFalse(ok, said)
  lu.assertStrContains(tostring(why), said)
  lu.assertNotStrContains(tostring(why), "\n")
end

function TestStudy:test_mistakes_are_one_line_with_a_suggestion()
  self:refused({ trails = 4 }, "study: unknown option 'trails'; did you mean 'trials'?")
  self:refused({ space = { stepz = ex.int(1, 2) } }, "study: space: the recipe has no knob 'stepz'; did you mean 'steps'?")
  self:refused({ space = { kind = ex.uniform(0, 1) } }, "study: space: knob kind must be a string, got a number")
  self:refused({ space = { x = ex.choice { 1, "two" } } }, "study: space: knob x must be a number, got x=two")
  self:refused({ objective = { minimise = "loss" } }, "unknown 'minimise'; did you mean 'minimize'?")
  self:refused({ objective = {} }, "nothing to maximize or minimize")
  self:refused({ sampler = "tpee" }, "did you mean 'tpe'?")
  self:refused({ stop = "mediam" }, "did you mean 'median'?")
  self:refused({ trials = json.null }, "how long? It needs trials = N")
  self:refused({ trials = 0 }, "study: trials must be a whole number from 1 on, got 0")
  self:refused({ trial_seconds = -1 }, "study: trial_seconds must be a number above 0")
  self:refused({ points = { { x = 5 } } }, "study: points[1]: knob x must be a number from -1 to 1, got 5")
  self:refused({ fixed = { x = 1 } }, "study: fixed: x is a knob of the space too")
  self:refused({ fixed = { yy = 1 } }, "study: fixed: the recipe has no knob 'yy'")
  self:refused({ constraints = { "size < 3" } }, "constraints are texts like")
  self:refused({ recipe = self.path .. "/none.lua" }, "study: there is no recipe")
  self:refused({ recipe = self.path .. "/bowll.lua" }, "bowll.lua; did you mean '" .. self.path .. "/bowl.lua'?")
  self:refused({ trials = "3" }, 'study: trials must be a whole number from 1 on, got "3"')
  self:refused({ seconds = "3" }, 'study: seconds must be a number above 0, got "3"')
  self:refused({ space = { x = { unifrom = { 0, 1 } } } }, "space: x: there is no distribution 'unifrom'; did you mean 'uniform'?")
  self:refused({ space = { x = { uniform = { "0", 1 } } } }, 'space: x: uniform: expected two numbers, got "0" and 1')
  self:refused({ space = { x = { 0, 1 } } }, "space: x: expected one of choice, int, log and uniform with its list of values")
  self:refused({ constraints = "size <= 3" }, 'study: constraints must be a list of texts, as { "pruned.macs <= 1e6" }, got "size <= 3"')
  self:refused({ points = { x = 0 } }, "study: points must be a list of { knob = value, ... }, got another table")
  self:refused({ sampler = "cmaes", space = { kind = ex.choice { "a" } } }, "sampler.cmaes: only for numbers, but kind is a choice")
  self:refused({ sampler = "cmaes", objective = { minimize = "a", maximize = "b" } }, "sampler.cmaes: for one objective, the study has 2")
  self:refused({ sampler = "grid" }, "sampler.grid: x is continuous: say how many of its values, points = { x = 5 }")
  self:refused({ fixed = { 3 } }, "study: fixed must be { knob = value, ... }, got another table")
  self:refused({ fixed = 3 }, "study: fixed must be { knob = value, ... }, got 3")
  self:refused({ watch = 3 }, "study: watch must be a metric of log.jsonl")
  self:refused({ objective = "loss" }, 'study: objective must be { maximize = "path" } (YAML: { maximize: path }), got "loss"')
  self:refused({ name = 3 }, "study: name must be letters, digits, _ . and -, got 3")
  self:refused({ name = "a/b" }, "study: name must be letters")
  self:refused({ lag = 2, stop = { asha = { promote = true } } }, "leave one of the two out")
end

-- -- Files ------------------------------------------------------------------------------------------------------------------

function TestStudy:test_a_lua_file()
  search.study(self.path, "trials = 2")
  local s = studies.load(self.path .. "/study.lua")
  lu.assertEquals({ s.name, s.recipe, s.trials }, { "study", self.recipe, 2 })
end

function TestStudy:test_a_yaml_file_says_the_same_as_lua()
  file.write(self.path .. "/one.yaml", [[
recipe: bowl.lua
space:
  x: {uniform: [-2, 2]}
  y: {log: [1e-4, 1e-1]}
  steps: {int: [1, 8], log: true}
  kind: {choice: [plain, other], only: {steps: [1, 2]}}
objective: {minimize: loss}
sampler: {random: {}}
stop: {asha: {reduction: 3}}
trials: 4
constraints: ["size <= 1e3"]
]])
  file.write(self.path .. "/one.lua", [[
local ex = require "exeunt"
return ex.study { recipe = "bowl.lua", objective = { minimize = "loss" }, sampler = ex.sampler.random(),
  stop = ex.stopper.asha { reduction = 3 }, trials = 4, constraints = { "size <= 1e3" },
  space = { x = ex.uniform(-2, 2), y = ex.log(1e-4, 1e-1), steps = ex.int(1, 8, { log = true }),
            kind = ex.only(ex.choice { "plain", "other" }, { steps = { 1, 2 } }) } }
]])
  local yaml, lua = studies.load(self.path .. "/one.yaml"):document(), studies.load(self.path .. "/one.lua"):document()
  yaml.file, lua.file = nil, nil
  lu.assertEquals(json.encode(yaml), json.encode(lua))
end

function TestStudy:test_files_that_are_none()
  local function fails(name, text, said)
    file.write(self.path .. "/" .. name, text)
    local ok, why = pcall(studies.load, self.path .. "/" .. name)
    lu.assertFalse(ok)
    lu.assertStrContains(tostring(why), said)
  end
  fails("r.lua", search.RECIPE, "this one returns a recipe: run it with exeunt run, or name it in a study")
  fails("a.lua", "return 5\n", "a study's file must end with `return ex.study { ... }`")
  fails("b.lua", "return {\n", "b.lua:")
  fails("c.lua", "local ex = require 'exeunt'\nreturn ex.study { recipe = 'bowl.lua' }\n", "c.lua:2: study: option 'objective' is missing")
  fails("d.yaml", "recipe: bowl.lua\nspase: 1\n", "d.yaml:2: study: unknown option 'spase'; did you mean 'space'?")
  fails("e.yaml", "recipe: bowl.lua\ntrials: 2\nobjective: {minimize: loss}\nspace:\n  x: {uniform: [0, 1]}\n  stepz: {int: [1, 2]}\n",
        "e.yaml:6: study: space: the recipe has no knob 'stepz'; did you mean 'steps'?")
  lu.assertErrorMsgContains("there is no study", studies.load, self.path .. "/none.lua")
  lu.assertErrorMsgContains("/aa.lua; did you mean '" .. self.path .. "/a.lua'?", studies.load, self.path .. "/aa.lua")
end

-- -- Documents ---------------------------------------------------------------------------------------------------------------

function TestStudy:test_back_from_its_document()
  local s = self:study { sampler = ex.sampler.random(), stop = ex.stopper.asha { reduction = 2 }, seed = 7, points = { { x = 0.5 } },
                         constraints = { "size <= 1" }, fixed = { steps = 2 }, trial_seconds = 9, watch = "loss" }
  local text = json.encode(s:document())
  local again = studies.of_document(json.plain(json.decode(text)), "study")
  lu.assertEquals(json.encode(again:document()), text)
end

function TestStudy:test_another_recipe_is_not_taken_for_it()
  local document = json.plain(json.decode(json.encode(self:study():document())))
  file.write(self.recipe, search.RECIPE .. "-- edited\n")
  lu.assertErrorMsgContains("is not the recipe that the study was begun with", studies.of_document, document, "s")
  file.remove(self.recipe)
  lu.assertErrorMsgContains("is not here; say where with --recipe FILE", studies.of_document, document, "s")
  file.write(self.path .. "/moved.lua", search.RECIPE)
  lu.assertEquals(studies.of_document(document, "s", self.path .. "/moved.lua").recipe, self.path .. "/moved.lua")
end

function TestStudy:test_what_changed()
  local s, other = self:study(), self:study { seed = 9, space = { x = ex.uniform(-1, 2) } }
  lu.assertEquals({ studies.changes(s:document(), s:document()) }, { {}, false, {} })
  lu.assertEquals({ studies.changes(s:document(), other:document()) },
                  { { "the space (x was uniform(-1, 1), is uniform(-1, 2))", "the seed (was 420, is 9)" }, false, { "space", "seed" } })
  lu.assertEquals({ studies.changes(s:document(), self:study { trials = 90 }:document()) }, { {}, false, {} })
end

os.exit(lu.LuaUnit.run())
