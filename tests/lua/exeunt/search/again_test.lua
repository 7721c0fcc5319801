-- search/again.lua: the command of a trial, whole, and what it gives is what the trial gave.

local lu = require "luaunit"
local again = require "exeunt.search.again"
local command = dofile "tests/support/command.lua"
local json = require "exeunt.report.json"
local search = dofile "tests/support/search.lua"

TestAgain = {}

function TestAgain.test_the_command()
  local study = { recipe = "my recipes/x.lua", fixed = { epochs = 2, widths = { 16, 32 } }, seed = 7 }
  lu.assertEquals(again.command(study, { lr = 0.1 + 0.2, kind = "a b" }),
                  "exeunt run 'my recipes/x.lua' epochs=2 'kind=a b' lr=0.30000000000000004 widths=16,32 --seed 7")
  lu.assertEquals(again.command({ recipe = "x.lua", fixed = json.null, seed = 3 }, { seed = 5 }), "exeunt run x.lua --seed 5")
  lu.assertNil(again.command({ seed = 1 }, { lr = 1 }))
  lu.assertNil(again.command(study, nil))
end

-- Pasted, it gives what the trial gave; the search, best and the report say it.
function TestAgain.test_it_is_what_the_trial_was()
  local path = search.place()
  search.study(path, "trials = 2, sampler = 'random', fixed = { kind = 'other one', steps = 2 }")
  local code, out, err = search.run(path, "")
  lu.assertEquals(code, 0, err)
  local line = out:match "\n  again: exeunt (run [^\n]+)\n"
  lu.assertStrContains(line, "run bowl.lua 'kind=other one' steps=2 x=")
  local _, best = search.run(path, "", "best study")
  lu.assertStrContains(best, "\n  again: exeunt " .. line .. "\n")
  local _, text = search.run(path, "", "report study --json")
  lu.assertStrContains(json.decode(text).sentences[3], "train it again: exeunt " .. line)
  local _, run = search.run(path, "", line .. " --json")
  local document = json.decode(command.read(path .. "/stdout"))
  lu.assertEquals(tostring(document.values.loss), tostring(json.decode(run).values.loss))
  lu.assertStrContains(best, ("loss: %.6g\n"):format(document.values.loss))
  search.remove(path)
end

os.exit(lu.LuaUnit.run())
