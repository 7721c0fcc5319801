-- recipe.lua: what a recipe file may be, and that an error names the file and the line that led to it, also where the failing
-- call is returned and so has left no line on the stack.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local file = require "exeunt.file"
local recipe = require "exeunt.recipe"

TestRecipe = {}

local folder

function TestRecipe.setUp() folder = nets.folder() end
function TestRecipe.tearDown() nets.clean(folder) end

local function write(text)
  file.write(folder .. "/r.lua", 'local ex = require "exeunt"\n' .. text)
  return folder .. "/r.lua"
end

-- The message of running such a recipe's run.
local function message_of_run(text)
  local path = write(text)
  local found = recipe.load(path)
  return nets.message(recipe.call, path, found.run, {}), path
end

function TestRecipe.test_a_recipe()
  local found, text = recipe.load(write 'return ex.recipe { about = "x", knobs = { lr = 1 }, run = function() end }')
  lu.assertEquals(tostring(found), "recipe: x\n  lr=1\n  seed=420\n  train_limit=")
  lu.assertStrContains(text, "return ex.recipe")
end

function TestRecipe.test_no_recipe()
  lu.assertErrorMsgContains("must end with `return ex.recipe { ... }`, this one returns nothing", recipe.load, write "")
  lu.assertErrorMsgContains("r.lua:2: ", recipe.load, write "return return")
  file.write(folder .. "/README.md", "A text.")
  lu.assertErrorMsgContains("README.md:1: '=' expected near 'text' (a recipe is a Lua file", recipe.load, folder .. "/README.md")
  lu.assertErrorMsgContains("No such file", recipe.load, folder .. "/none.lua")
end

function TestRecipe.test_a_study_is_no_recipe()
  local text = 'local s = ex.study { recipe = "none.lua" }\nreturn s'
  local path = write(text)
  lu.assertErrorMsgContains("r.lua:2: study: this is a study and no recipe: `exeunt search " .. path .. "`", recipe.load, path)
  lu.assertErrorMsgContains("option 'objective' is missing", require("exeunt").study, { recipe = "none.lua" })    -- elsewhere it is one
end

function TestRecipe.test_slips_of_who_comes_from_python()
  local path = folder .. "/r.lua"
  file.write(path, "return ex.recipe {}")
  lu.assertErrorMsgContains("'ex' (a nil value) (the file has to begin with: local ex = require \"exeunt\")", recipe.load, path)
  local message = message_of_run [[
return ex.recipe { about = "x", run = function()
  local net = ex.models.lenet()
  net.parameters()
end }]]
  lu.assertStrMatches(message, ".*r%.lua:4: .*%(a method is called with a colon: net:parameters%(%)%)")
end

function TestRecipe.test_an_error_has_its_line()
  local message, path = message_of_run [[
return ex.recipe { about = "x", run = function()
  local net = ex.models.vgg { classes = 0 }
  return net
end }]]
  lu.assertStrMatches(message, ".*r%.lua:3: .*classes.*")
  lu.assertEquals(message:sub(1, #path), path)
end

function TestRecipe.test_a_call_that_is_returned_has_its_line()
  local message = message_of_run 'return ex.recipe { about = "x", run = function()\n  local o = {}\n\n  return ex.result(o)\nend }'
  lu.assertStrMatches(message, ".*r%.lua:5: result: .*")
  lu.assertErrorMsgContains("r.lua:3: recipe: unknown option 'abuot'", recipe.load, write 'local x = 1\nreturn ex.recipe { abuot = "x" }')
end

-- Two such calls: no line is better than a wrong one.
function TestRecipe.test_two_calls_that_are_returned()
  local message, path = message_of_run [[
return ex.recipe { about = "x", run = function(knobs)
  if knobs.none then return ex.models.vgg {} end
  return ex.result {}
end }]]
  lu.assertStrContains(message, path .. ": result: ")
end

os.exit(lu.LuaUnit.run())
