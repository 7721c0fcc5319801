-- Results: the document's exits are numbers of their names, also where the network was cut before it was scored.
local lu = require "luaunit"
local ex = require "exeunt"
local tiny = dofile "tests/support/tiny.lua"

TestResult = {}

local data = tiny.data()

local function fit(net)
  return ex.train(net, data, { optimizer = ex.optim.adam { lr = 0.01 }, epochs = 1, batch = 16, seed = 7, quiet = true })
end

function TestResult.test_a_network_that_was_cut_before_it_is_pruned()
  local trained = fit(tiny.net():keep { 2 })
  local best = ex.prune.exits(trained.net, data.validation)
  lu.assertStrMatches(tostring(best), ".*\n2 +%d.* kept\n.*")
  local result = ex.result { train = trained, pruned = best, test = data.test }
  local doc = result:document {}
  lu.assertEquals({ doc.subsets[1].exits[1], doc.full.exits[1], doc.pruned.exits[1] }, { 2, 2, 2 })
  lu.assertStrMatches(result:text(), ".*\npruned +2 +%d+%.%d%d %% .*")         -- with its validation score
end

function TestResult.test_a_note_ends_the_report()
  local result = ex.result { train = fit(tiny.net()), test = data.test, note = "More of it is elsewhere." }
  lu.assertEquals(result:document({}).note, "More of it is elsewhere.")
  lu.assertStrMatches(result:text(), ".*\nMore of it is elsewhere%.\n")
end

function TestResult.test_a_report_speaks_for_itself()
  local report = { document = function() return { answer = 42 } end, text = function() return "forty-two\n" end }
  local result = ex.result { report = report }
  lu.assertEquals(result:document { recipe = "r" }, { recipe = "r", answer = 42 })
  lu.assertEquals(result:text(), "forty-two\n")
end

function TestResult.test_refuses()
  lu.assertErrorMsgContains("result: train must be what ex.train gave, got nil", ex.result, {})
  local trained = fit(tiny.net())
  lu.assertErrorMsgContains("pruned must be what ex.prune.exits gave", ex.result, { train = trained, pruned = trained.net })
  lu.assertErrorMsgContains("result: note must be a text, got a table", ex.result, { train = trained, note = {} })
  lu.assertErrorMsgContains("did you mean 'train'?", ex.result, { trian = trained })
end

os.exit(lu.LuaUnit.run())
