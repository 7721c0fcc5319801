-- grid_test.lua: each cell once; what the results file holds is not trained again; a grid that is extended trains the rest.

local lu = require "luaunit"
local ex = require "exeunt"
local cell = require "exeunt.paper.cell"
local dataset = dofile "tests/support/dataset.lua"
local folder = dofile "tests/support/folder.lua"

TestGrid = {}

function TestGrid:setUp()
  self.folder = folder.make()
  self.set = dataset.make(self.folder)
  self.store = ex.paper.store(self.folder .. "/cells.jsonl")
end

function TestGrid:tearDown() folder.remove(self.folder) end

local function grid(self, schemes, seeds)
  return ex.paper.grid { nets = { "resnet" }, sets = { self.set }, sizes = { 0 }, regimes = { "tr" }, schemes = schemes, seeds = seeds,
                         cell = { validation = 10, epochs = 1, batch = 20 } }
end

-- How many trainings f begins.
local function trainings(f)
  local count, meta = 0, getmetatable(cell)
  local call = meta.__call
  meta.__call = function(...)
    count = count + 1
    return call(...)
  end
  local ok, why = pcall(f)
  meta.__call = call
  if not ok then error(why, 0) end
  return count
end

function TestGrid:test_the_single_exit_comes_first_and_once()
  local names = {}
  for i, s in ipairs(grid(self, { "mix", "se", "desc" }, 2).cells) do names[i] = s.scheme .. s.seed end
  lu.assertEquals(names, { "se420", "mix420", "desc420", "se421", "mix421", "desc421" })
end

function TestGrid:test_what_is_refused()
  for _, seeds in ipairs { 0, -1, 1.5 } do
    lu.assertErrorMsgContains("paper.grid: seeds: expected how many, 1 or more, got " .. seeds, grid, self, { "mix" }, seeds)
  end
  lu.assertErrorMsgContains("paper.grid: nets: expected one or more, got none", ex.paper.grid,
                            { nets = {}, sets = { self.set }, sizes = { 0 }, regimes = { "tr" }, schemes = {} })
end

-- The second set and the second network would be met only after the first cells.
function TestGrid:test_all_sets_and_networks_are_tried_before_the_first_cell()
  local function run(nets, sets, regimes)
    ex.paper.grid { nets = nets, sets = sets, sizes = { 0 }, regimes = regimes or { "tr" }, schemes = { "mix" },
                    cell = { validation = 10, epochs = 1, batch = 20, weights = regimes and self.folder .. "/none.safetensors" }
                  }:run(self.store, { quiet = true })
  end
  lu.assertEquals(trainings(function()
    lu.assertErrorMsgContains("no data set 'nowhere'", run, { "resnet" }, { self.set, "nowhere" })
    lu.assertErrorMsgContains("paper.grid: network mobilenetv3 on " .. self.set .. ": models.mobilenetv3: option 'rows' is missing", run,
                              { "resnet", "mobilenetv3" }, { self.set })
    lu.assertErrorMsgContains("none.safetensors", run, { "resnet" }, { self.set }, { "tr", "ft" })
  end), 0)
end

-- What is fine-tuned begins from the weights, what is trained from scratch beside it from none.
function TestGrid:test_weights_are_for_the_regime_that_takes_them()
  local g = ex.paper.grid { nets = { "resnet" }, sets = { self.set }, sizes = { 0 }, regimes = { "tr", "ft" }, schemes = { "mix" },
                            cell = { weights = "some.safetensors" } }
  local weights = {}
  for i, s in ipairs(g.cells) do weights[i] = s.regime .. " " .. tostring(s.weights) end
  lu.assertEquals(weights, { "tr nil", "tr nil", "ft some.safetensors", "ft some.safetensors" })
  lu.assertErrorMsgContains("paper.cell: weights are where regime=ft begins", ex.paper.grid,
    { nets = { "resnet" }, sets = { self.set }, sizes = { 0 }, regimes = { "tr" }, schemes = {}, cell = { weights = "some.safetensors" } })
end

-- As at the prompt, where a training is ended or fails and the same line is given again.
function TestGrid:test_a_training_that_fails_leaves_the_store_to_the_next()
  local meta = getmetatable(cell)
  local call = meta.__call
  meta.__call = function() error("a fault", 0) end
  for _ = 1, 2 do
    lu.assertErrorMsgEquals("a fault", function() grid(self, { "mix" }, 1):run(self.store, { quiet = true }) end)
  end
  meta.__call = call
end

function TestGrid:test_finished_cells_are_skipped()
  lu.assertEquals(trainings(function() grid(self, { "mix" }, 1):run(self.store, { quiet = true }) end), 2)
  lu.assertEquals(trainings(function() grid(self, { "mix" }, 1):run(ex.paper.store(self.store.path), { quiet = true }) end), 0)
  local report
  local more = grid(self, { "mix", "asc" }, 2)
  lu.assertEquals(trainings(function() report = more:run(ex.paper.store(self.store.path), { quiet = true }) end), 4)
  lu.assertEquals(#report.cells, 2)
  lu.assertEquals(report.cells[1].seeds, { 420, 421 })
end

-- Two runs that share a results file would train the same cells.
function TestGrid:test_a_store_that_another_run_fills()
  local claim = ex.paper.store(self.store.path):claim()
  local g = grid(self, { "mix" }, 1)
  lu.assertErrorMsgContains("another run is adding cells to it", g.run, g, self.store, { quiet = true })
  claim:free()
  lu.assertEquals(trainings(function() g:run(self.store, { quiet = true }) end), 2)
  claim = ex.paper.store(self.store.path):claim()                     -- what is finished is shown all the same
  lu.assertEquals(trainings(function() g:run(ex.paper.store(self.store.path), { quiet = true }) end), 0)
  claim:free()
end

-- A results file may hold cells of other grids: they are not in this one's table.
function TestGrid:test_a_table_has_its_grid_alone()
  grid(self, { "mix", "asc" }, 1):run(self.store, { quiet = true })
  lu.assertEquals(#grid(self, { "asc" }, 1):run(self.store, { quiet = true }).cells, 1)
end

os.exit(lu.LuaUnit.run())
