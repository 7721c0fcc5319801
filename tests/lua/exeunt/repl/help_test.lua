-- repl/help.lua: help comes from the comments of the sources.

local lu = require "luaunit"
local help = require "exeunt.repl.help"

TestHelp = {}

local function text(...) return table.concat(help.lines(...), "\n") end

-- Adds two numbers.
-- Refuses nothing.
local function documented(a, b)
  return a + b
end

local bare = function() end

function TestHelp.test_how_to_begin()
  lu.assertStrContains(text(), "Ctrl-D leaves")
end

function TestHelp.test_functions()
  local lines = help.lines(documented)
  lu.assertEquals(#lines, 4)
  lu.assertEquals({ unpack(lines, 1, 3) }, { "function documented(a, b)", "Adds two numbers.", "Refuses nothing." })
  lu.assertStrMatches(lines[4], "%(.*help_test%.lua:%d+%)")
  lu.assertEquals(help.lines(bare)[1], "function bare()")
  lu.assertEquals(help.lines(bare)[2], "repl/help.lua: help comes from the comments of the sources.")
  lu.assertEquals(text(print), "built in")
  lu.assertEquals(text(load "return 1"), "typed at the prompt")
end

function TestHelp.test_modules()
  local shown = text(require "exeunt.report.table")
  lu.assertStrContains(shown, "report/table.lua: plain text tables")
  lu.assertStrContains(shown, "It has: bytes, count, csv, html, markdown, render")
  lu.assertEquals(text "exeunt.report.table", shown)
  lu.assertEquals(text "report.table", shown)
  lu.assertEquals(text "ex.report.table", shown)
end

function TestHelp.test_objects_lead_to_their_module()
  local progress = require "exeunt.report.progress"
  lu.assertStrContains(text(progress.new { total = 1, clock = function() return 0 end }), "report/progress.lua: one line")
end

function TestHelp.test_functions_without_a_name_of_their_own()
  local ex = require "exeunt"
  lu.assertStrMatches(text(ex.train), "ex%.train%(net, data, options%) %-> a fit.*")
  lu.assertNotStrContains(text(ex.models.vgg), "return function")
  lu.assertEquals(help.lines(ex.tensor.randn)[1], "function tensor.randn(...)")
  lu.assertStrContains(text(ex.tensor.ones(1).mean), "t:sum([axes][, { keepdim = true }])")     -- made in a loop
end

function TestHelp.test_the_options_of_what_a_recipe_calls()
  local ex = require "exeunt"
  for _, word in ipairs { "optimizer", "epochs", "batch", "weights", "schedule_prune", "clip", "early_stopping", "augment" } do
    lu.assertStrContains(text(ex.train), word)
  end
  for _, word in ipairs { "lr = 1e-3", "beta1", "weight_decay" } do lu.assertStrContains(text(ex.optim.adam), word) end
  lu.assertStrContains(text(ex.optim.sgd), "momentum = 0")
end

function TestHelp.test_samplers_and_stoppers_say_what_they_are_and_their_options()
  local ex = require "exeunt"
  local shown = text(ex.sampler.tpe)
  lu.assertStrMatches(shown, "tpe%.lua: the tree%-structured Parzen.*new { startup = 10 trials, candidates = 24, lag = }.*")
  lu.assertEquals(select(2, shown:gsub("tpe%.lua: ", "")), 1)
  lu.assertStrMatches(text(ex.stopper.median), "median%.lua: .*new { startup = 5 finished trials, warmup = 0 steps }.*")
  for _, kind in ipairs { "sampler", "stopper" } do
    for name, make in pairs(ex[kind]) do
      if name ~= "of" and name ~= "check" then lu.assertStrContains(text(make), name .. ".lua: ") end
    end
  end
  for _, word in ipairs { "fixed", "points", "constraints", "watch", "lag", "trial_seconds", "retries", "seed", "name" } do
    lu.assertStrContains(text(ex.study), "`" .. word .. "`")
  end
end

function TestHelp.test_things_show_their_class_and_methods()
  local ex = require "exeunt"
  lu.assertStrMatches(text(ex.tensor.ones(1)), "tensor%.lua: .*It has: abs, .*reshape.*")
  lu.assertStrMatches(text(ex.models.lenet()), "network%.lua: .*It has: .*forward.*")
end

function TestHelp.test_a_module_that_is_called_says_its_comment_once()
  local _, times = text(require("exeunt").network):gsub("network%.lua: a network =", "")
  lu.assertEquals(times, 1)
end

function TestHelp.test_operators()
  lu.assertStrMatches(text "conv2d", "operator conv2d: .+")
  local all = text "operators"
  lu.assertStrContains(all, "\nmax_pool2d ")
  lu.assertStrContains(all, "\nsoftmax_cross_entropy ")
end

function TestHelp.test_what_is_not_known()
  lu.assertEquals(text "nosuchthing", 'nothing is known about "nosuchthing"; help() says how to begin')
  lu.assertEquals(text(12), "number 12")
  lu.assertEquals(text(nil), "nil: nothing has that name here; help() says how to begin")
end

os.exit(lu.LuaUnit.run())
