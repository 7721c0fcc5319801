-- cell_test.lua: a cell on a small data set: what is trained for a scheme and for the single exit, and what is refused.

local lu = require "luaunit"
local ex = require "exeunt"
local dataset = dofile "tests/support/dataset.lua"
local folder = dofile "tests/support/folder.lua"

TestCell = {}

function TestCell:setUp()
  self.folder = folder.make()
  self.set = dataset.make(self.folder)
end

function TestCell:tearDown() folder.remove(self.folder) end

local function settings(self, more)
  local s = { net = "resnet", data = self.set, validation = 10, epochs = 1, batch = 10, seed = 3 }
  for k, v in pairs(more) do s[k] = v end
  return s
end

function TestCell:test_a_scheme_trains_all_exits_and_scores_all_subsets()
  local doc = ex.paper.cell(settings(self, { scheme = "mix" }), { quiet = true }):document {}
  lu.assertEquals(#doc.exits, 3)
  lu.assertEquals(#doc.subsets, 7)
  lu.assertEquals({ doc.label, doc.seed }, { "mix", 3 })
  lu.assertNotNil(doc.pruned.test_top1)
end

function TestCell:test_se_is_the_last_exit_alone()
  local doc = ex.paper.cell(settings(self, { scheme = "se" }), { quiet = true }):document {}
  lu.assertEquals(#doc.exits, 1)
  lu.assertEquals(#doc.subsets, 0)
  lu.assertEquals(doc.full.params, ex.cost.of(ex.models.resnet { input = { 1, 4, 5 }, classes = 3 }).params)
end

function TestCell:test_the_same_settings_give_the_same_numbers()
  local a = ex.paper.cell(settings(self, { scheme = "desc" }), { quiet = true }):document {}
  local b = ex.paper.cell(settings(self, { scheme = "desc" }), { quiet = true }):document {}
  lu.assertEquals(a.subsets, b.subsets)
  lu.assertEquals(a.pruned.test_top1, b.pruned.test_top1)
end

function TestCell:test_what_is_refused()
  local function refused(message, more) lu.assertErrorMsgContains(message, ex.paper.cell, settings(self, more)) end
  refused("paper.cell: no scheme 'mixed'; did you mean 'mix'?", { scheme = "mixed" })
  refused("paper.cell: no regime 'scratch'; there are ft and tr", { regime = "scratch" })
  refused("paper.cell: regime=ft needs weights=FILE", { regime = "ft" })
  refused("paper.cell: no tie 'cheapst'; did you mean 'cheapest'?", { tie = "cheapst" })
  refused("paper.cell: weights are where regime=ft begins; regime=tr begins from none", { weights = "some.safetensors" })
  refused("paper.cell: no network 'resnett'; did you mean 'resnet'?", { net = "resnett" })
  refused("paper.cell: unknown option 'epoch'; did you mean 'epochs'?", { epoch = 2 })
  lu.assertErrorMsgContains("does not say how many images are usual; give a number", ex.paper.cell, { net = "resnet", data = self.set })
end

function TestCell:test_names_tell_cells_apart()
  local s = ex.paper.cell.settings { net = "lenet", data = "datasets/mnist.yaml", size = 32, scheme = "asc", seed = 7 }
  lu.assertEquals(ex.paper.cell.name(s), "lenet-mnist-32-tr-asc-7")
end

os.exit(lu.LuaUnit.run())
