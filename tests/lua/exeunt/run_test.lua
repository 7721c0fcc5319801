-- Runs, from the outside: each test starts the program on a small recipe in a folder of its own and looks at exit code,
-- output and files. Killing is done by the recipe itself after a given number of batches, so that nothing depends on time.
local lu = require "luaunit"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local tiny = dofile "tests/support/tiny.lua"

local program = os.getenv "EXEUNT" or "./exeunt"

TestRun = {}

function TestRun:setUp() self.folder = tiny.folder() end
function TestRun:tearDown() tiny.remove(self.folder) end

-- The recipe of these tests; KILL in the environment is "SIGNAL AFTER": the process sends itself that signal after so
-- many batches.
local RECIPE = [[
local ex = require "exeunt"
local tiny = dofile "tests/support/tiny.lua"
return ex.recipe {
  about = "a test",
  knobs = { epochs = 3, lr = 0.01, weighting = "mix", widths = { 4, 8 }, checkpoint_seconds = 0 },
  run = function(knobs)
    local data = tiny.data { train = knobs.train_limit or 96 }
    local signal, after = (os.getenv "KILL" or ""):match "^(%u+) (%d+)$"
    if signal then tiny.signal_after(data.train, signal, tonumber(after)) end
    print "said by the recipe"
    local function train(net, weights)
      return ex.train(net, data, { weights = weights, optimizer = ex.optim.adam { lr = knobs.lr }, epochs = knobs.epochs,
                                   batch = 16, checkpoint_seconds = knobs.checkpoint_seconds, schedule = "one_cycle" })
    end
    local net, single = tiny.net { widths = knobs.widths }, tiny.net { widths = knobs.widths, exits = false }
    local fit = train(net, knobs.weighting)
    local best = ex.prune.exits(net, data.validation)
    return ex.result { train = fit, net = net, pruned = best, baseline = train(single), test = data.test }
  end,
}
]]

function TestRun:recipe(text)
  local path = self.folder .. "/small.lua"
  file.write(path, text or RECIPE)
  return path
end

-- sh(command): exit code, standard output, standard error.
function TestRun:sh(command)
  local out, err = self.folder .. "/stdout", self.folder .. "/stderr"
  local status = os.execute(("( %s ) >'%s' 2>'%s'"):format(command, out, err))
  return math.floor(status / 256), file.read(out), file.read(err)
end

function TestRun:run(arguments, before)
  return self:sh(("%s %s run '%s' %s"):format(before or "", program, self:recipe(), arguments))
end

local function lines(text)
  local _, n = text:gsub("\n", "\n")
  return n
end

-- One line on standard error, that says `text`.
local function assert_one_line(err, text)
  lu.assertStrContains(err, text)
  lu.assertEquals(lines(err), 1, err)
end

-- -- The document ------------------------------------------------------------------------------------------

function TestRun:test_json_prints_exactly_one_document_which_is_run_json()
  local out = self.folder .. "/out"
  local code, text, err = self:run(("--json --seed 3 epochs=2 --threads 1 --out '%s'"):format(out))
  lu.assertEquals(code, 0, err)
  lu.assertEquals(text, file.read(out .. "/run.json"))
  lu.assertStrContains(err, "said by the recipe")
  local doc = json.decode(text)
  lu.assertEquals({ doc.seed, doc.knobs.seed, doc.knobs.epochs, doc.run_dir, doc.train.epochs }, { 3, 3, 2, out, 2 })
  lu.assertEquals(doc.knobs.widths, { 4, 8 })
  lu.assertIs(doc.knobs.train_limit, json.null)
  lu.assertTrue(doc.train.seconds > 0 and doc.train.images_per_s > 0)
  lu.assertEquals({ #doc.exits, doc.exits[1].name, doc.exits[2].name }, { 2, "exit1", "exit2" })
  for _, score in ipairs { doc.exits[1].val_top1, doc.exits[2].test_top1, doc.vote.val_top1, doc.vote.test_top1,
                           doc.baseline.val_top1, doc.baseline.test_top1, doc.full.test_top1, doc.pruned.test_top1 } do
    lu.assertTrue(score >= 0 and score <= 1)
  end
  lu.assertEquals(#doc.subsets, 3)
  lu.assertEquals({ doc.subsets[1].exits, doc.subsets[2].exits, doc.subsets[3].exits }, { { 2 }, { 1 }, { 1, 2 } })
  lu.assertEquals(doc.full.exits, { 1, 2 })
  for _, network in ipairs { doc.full, doc.pruned, doc.baseline } do
    lu.assertTrue(network.params > 0 and network.macs > 0 and network.latency_ms > 0)
  end
  lu.assertTrue(doc.full.params > doc.baseline.params)
  lu.assertEquals(doc.environment.threads, 1)
  lu.assertTrue(#doc.environment.isa > 0 and #doc.environment.cpu > 0 and #doc.environment.version > 0)
end

function TestRun:test_the_folder_holds_what_it_should()
  local out = self.folder .. "/out"
  lu.assertEquals((self:run(("epochs=1 --out '%s'"):format(out))), 0)
  lu.assertEquals(file.list(out), { "best.safetensors", "last.safetensors", "lock", "log.jsonl", "recipe.lua", "run.json",
    "train1.best.safetensors", "train1.last.safetensors", "train2.best.safetensors", "train2.last.safetensors" })
  lu.assertEquals(file.digest(out .. "/best.safetensors"), file.digest(out .. "/train1.best.safetensors"))
  lu.assertEquals(file.read(out .. "/recipe.lua"), RECIPE)
  local log = {}
  for line in file.read(out .. "/log.jsonl"):gmatch "[^\n]+" do log[#log + 1] = json.decode(line) end
  lu.assertEquals({ #log, log[1].train, log[2].train, log[1].epoch, #log[1].exits }, { 2, "train1", "train2", 1, 2 })
  lu.assertTrue(log[1].loss > 0 and log[1].vote.val_top1 >= 0 and log[1].seconds > 0)
end

function TestRun:test_for_a_person_there_is_a_table_and_plain_words()
  local code, text, err = self:run(("epochs=1 --out '%s/out'"):format(self.folder))
  lu.assertEquals(code, 0, err)
  lu.assertStrContains(text, "baseline (single exit)")
  lu.assertStrContains(text, "The joint training ")
  lu.assertStrContains(text, "Pruning kept ")
  lu.assertStrContains(err, "train1  epoch 1/1  loss ")
  lu.assertNotStrContains(err, "\27")
end

-- Runs a recipe in the test's own folder, without --out: exit code and standard error.
function TestRun:run_there(path)
  local code, _, err = self:sh(("root=$PWD; cd '%s' && ln -sfn \"$root\"/tests tests && '%s' run '%s' epochs=1 --seed 5"):format(
    self.folder, program:sub(1, 1) == "/" and program or "$root/" .. program, path):gsub("'%$root/(.-)'", '"$root/%1"'))
  return code, err
end

function TestRun:test_the_default_folder_is_named_after_recipe_time_and_seed()
  local code, err = self:run_there(self:recipe())
  lu.assertEquals(code, 0, err)
  local runs = file.list(self.folder .. "/runs")
  lu.assertEquals(#runs, 1)
  lu.assertStrMatches(runs[1], "small%-%d%d%d%d%d%d%d%d%-%d%d%d%d%d%d%-5")
end

function TestRun:test_two_runs_of_one_second_have_folders_of_their_own()
  local path = self:recipe("os.date = function() return '20200101-120000' end\n" .. RECIPE)     -- the clock stands still
  for _ = 1, 2 do
    local code, err = self:run_there(path)
    lu.assertEquals(code, 0, err)
  end
  lu.assertEquals(file.list(self.folder .. "/runs"), { "small-20200101-120000-5", "small-20200101-120000-5-2" })
end

-- -- The same bits --------------------------------------------------------------------------------------------

local networks = { "train1.best", "train1.last", "train2.best", "train2.last" }

function TestRun:digests(out)
  local list = {}
  for i, name in ipairs(networks) do list[i] = file.digest(("%s/%s.safetensors"):format(out, name)) end
  return list
end

function TestRun:test_one_thread_and_two_give_the_same_bits()
  for threads = 1, 2 do
    local code, _, err = self:run(("epochs=2 --threads %d --out '%s/%d'"):format(threads, self.folder, threads))
    lu.assertEquals(code, 0, err)
  end
  lu.assertEquals(self:digests(self.folder .. "/1"), self:digests(self.folder .. "/2"))
end

-- Runs to the end; runs again with a signal after so many batches, resumes, compares.
function TestRun:compare_with_resumed(signal, after, code_expected, knobs)
  local whole, broken = self.folder .. "/whole", self.folder .. "/broken"
  local code, text, err = self:run(("--json %s --out '%s'"):format(knobs, whole))
  lu.assertEquals(code, 0, err)
  local _, again
  code, _, err = self:run(("%s --out '%s'"):format(knobs, broken), ("KILL='%s %d'"):format(signal, after))
  lu.assertEquals(code, code_expected, err)
  code, again, err = self:run(("--json --resume --out '%s'"):format(broken))
  lu.assertEquals(code, 0, err)
  lu.assertEquals(self:digests(broken), self:digests(whole))
  local first, second = json.decode(text), json.decode(again)
  for _, part in ipairs { "exits", "vote", "knobs" } do lu.assertEquals(second[part], first[part], part) end
  local function epochs(folder)
    local list = {}
    for line in file.read(folder .. "/log.jsonl"):gmatch "[^\n]+" do
      local entry = json.decode(line)
      list[#list + 1] = { entry.train, entry.epoch, entry.loss, entry.vote.val_top1 }
    end
    return list
  end
  lu.assertEquals(epochs(broken), epochs(whole))
  return err
end

function TestRun:test_killed_in_the_middle_of_an_epoch_and_resumed()
  self:compare_with_resumed("KILL", 9, 137, "epochs=3")
end

function TestRun:test_killed_with_checkpoints_of_whole_epochs_only()
  self:compare_with_resumed("KILL", 9, 137, "epochs=3 checkpoint_seconds=300")
end

function TestRun:test_killed_before_the_first_checkpoint()
  self:compare_with_resumed("KILL", 2, 137, "epochs=2 checkpoint_seconds=300")
end

function TestRun:test_killed_in_the_second_training()
  local err = self:compare_with_resumed("KILL", 16, 137, "epochs=2")
  lu.assertStrContains(err, "train1: finished earlier, taken from its file")
end

function TestRun:test_interrupted_and_resumed()
  self:compare_with_resumed("INT", 9, 130, "epochs=3 checkpoint_seconds=300")
end

function TestRun:test_terminated_and_resumed()
  self:compare_with_resumed("TERM", 3, 143, "epochs=2 checkpoint_seconds=300")
end

-- After the last batch of a training there is no step left to stop after: what follows in the recipe does not begin.
function TestRun:test_terminated_at_the_end_of_a_training()
  local out = self.folder .. "/out"
  local code, _, err = self:run(("epochs=2 --out '%s'"):format(out), "KILL='TERM 13'")
  lu.assertEquals(code, 143, err)
  lu.assertStrContains(err, "train1: stopped by SIGTERM after its last epoch; go on with --resume")
  lu.assertNotStrContains(err, "train2")
  code, _, err = self:run(("--resume --out '%s'"):format(out))
  lu.assertEquals(code, 0, err)
  lu.assertStrContains(err, "train1: finished earlier, taken from its file")
end

function TestRun:test_a_finished_run_resumed_says_the_same()
  local out = self.folder .. "/out"
  lu.assertEquals((self:run(("epochs=1 --out '%s'"):format(out))), 0)
  local before, log = self:digests(out), file.read(out .. "/log.jsonl")
  lu.assertEquals((self:run(("--resume --out '%s'"):format(out))), 0)
  lu.assertEquals(self:digests(out), before)
  lu.assertEquals(file.read(out .. "/log.jsonl"), log)
end

-- -- What is refused -------------------------------------------------------------------------------------------

function TestRun:test_an_existing_folder_is_refused_and_left_alone()
  local out = self.folder .. "/out"
  file.make_folder(out)
  file.write(out .. "/mine", "precious")
  local code, _, err = self:run(("--out '%s'"):format(out))
  lu.assertEquals(code, 2)
  assert_one_line(err, "is there already")
  lu.assertEquals(file.list(out), { "mine" })
end

function TestRun:test_resuming_checks_recipe_and_knobs()
  local out = self.folder .. "/out"
  lu.assertEquals((self:run(("epochs=1 --out '%s'"):format(out))), 0)
  local code, _, err = self:run(("--resume epochs=2 --out '%s'"):format(out))
  lu.assertEquals(code, 2)
  assert_one_line(err, "knob epochs has changed")
  code, _, err = self:run(("--resume --seed 1 --out '%s'"):format(out))
  lu.assertEquals(code, 2)
  assert_one_line(err, "knob seed has changed")
  local changed = self:recipe(RECIPE:gsub("a test", "another test"))
  code, _, err = self:sh(("%s run '%s' --resume --out '%s'"):format(program, changed, out))
  lu.assertEquals(code, 2)
  assert_one_line(err, "small.lua has changed since")
  code, _, err = self:run(("--resume --out '%s/none'"):format(self.folder))
  lu.assertEquals(code, 2)
  assert_one_line(err, "there is no folder")
end

function TestRun:test_a_locked_run_is_refused()
  local out = self.folder .. "/out"
  lu.assertEquals((self:run(("epochs=1 --out '%s'"):format(out))), 0)
  local lock = file.lock(out .. "/lock")
  local code, _, err = self:run(("--resume --out '%s'"):format(out))
  lock:free()
  lu.assertEquals(code, 1)
  assert_one_line(err, out .. "/lock")
end

function TestRun:test_unknown_knobs_are_suggested()
  local code, _, err = self:run("epoch=3")
  lu.assertEquals(code, 2)
  assert_one_line(err, "did you mean 'epochs'?")
end

function TestRun:test_errors_carry_the_recipes_line()
  local function fails(text, code_expected, said)
    local path = self:recipe(text)
    local code, _, err = self:sh(("%s run '%s' --out '%s/out'"):format(program, path, self.folder))
    lu.assertEquals(code, code_expected, err)
    assert_one_line(err, path .. said)
    os.execute(("rm -rf '%s/out'"):format(self.folder))
  end
  fails("local ex = require 'exeunt'\nreturn ex.recipe {\n  about = 'x' run = 1 }\n", 1, ":3:")
  fails("return 5\n", 1, ": a recipe file must end with")
  fails("local ex = require 'exeunt'\nreturn ex.recipe { about = 'x', run = function()\n  ex.optim.sgd { lr = 1, mom = 2 }\nend }\n", 1,
        ":3: optim.sgd: unknown option 'mom'")
  fails("local ex = require 'exeunt'\nreturn ex.recipe { about = 'x', run = function() return 1 end }\n", 1, ": run must return ex.result")
  fails("local ex = require 'exeunt'\nreturn ex.recipe { about = 'x', knob = {}, run = print }\n", 1, ":2: recipe: unknown option 'knob'")
end

function TestRun:test_a_run_that_fails_before_it_has_trained_leaves_no_folder()
  local out = self.folder .. "/out"
  lu.assertEquals((self:run(("epochs=0 --out '%s'"):format(out))), 1)
  lu.assertNil(file.kind(out))
  lu.assertEquals((self:run(("epochs=1 --out '%s'"):format(out))), 0)
end

function TestRun:test_a_run_that_fails_later_keeps_what_it_trained()
  local out = self.folder .. "/out"
  local path = self:recipe((RECIPE:gsub("local best = [^\n]+", "error 'too late'")))
  local code, _, err = self:sh(("%s run '%s' epochs=1 --out '%s'"):format(program, path, out))
  lu.assertEquals(code, 1)
  lu.assertStrContains(err, "too late")
  lu.assertEquals(file.kind(out .. "/train1.best.safetensors"), "file")
  lu.assertEquals(file.kind(out .. "/run.json"), "file")
end

function TestRun:test_a_folder_that_holds_no_run_is_not_to_be_resumed()
  local out = self.folder .. "/out"
  file.make_folder(out)
  file.write(out .. "/thesis.txt", "mine")
  local code, _, err = self:run(("--out '%s'"):format(out))
  lu.assertEquals(code, 2)
  assert_one_line(err, out .. " is there already and holds no run: choose another --out")
  lu.assertEquals(file.list(out), { "thesis.txt" })
end

function TestRun:test_debug_shows_a_traceback()
  local path = self:recipe("local ex = require 'exeunt'\nreturn ex.recipe { about = 'x', run = function() error 'oh' end }\n")
  local _, _, err = self:sh(("%s run '%s' --out '%s/out' --debug"):format(program, path, self.folder))
  lu.assertStrContains(err, "stack traceback")
end

function TestRun:test_a_loss_that_is_not_finite()
  local out = self.folder .. "/out"
  local code, _, err = self:run(("lr=1e30 --out '%s'"):format(out))
  lu.assertEquals(code, 1)
  lu.assertStrMatches(err:match "[^\n]*\n$", "exeunt: .*small%.lua:%d+: train1: epoch 1, step %d+: .*\n")
end

-- -- Disks -------------------------------------------------------------------------------------------------------

function TestRun:test_an_unwritable_folder_is_one_line_before_any_work()
  file.write(self.folder .. "/plain", "a file, where a folder is asked for")
  local code, _, err = self:run(("--out '%s/plain/out'"):format(self.folder))
  lu.assertEquals(code, 1)
  assert_one_line(err, self.folder .. "/plain")
end

-- A limit on the size of files stands for a full disk: writing a checkpoint fails in the middle.
function TestRun:test_a_full_disk_is_one_line_and_loses_nothing()
  local out = self.folder .. "/out"
  lu.assertEquals((self:run(("epochs=3 checkpoint_seconds=300 --out '%s'"):format(out), "KILL='KILL 15'")), 137)
  local before = file.digest(out .. "/last.safetensors")
  local code, _, err = self:sh(("trap '' XFSZ; ulimit -f 4; %s run '%s' --resume --out '%s'"):format(program, self:recipe(), out))
  lu.assertEquals(code, 1, err)
  lu.assertStrContains(err:match "[^\n]*\n$", "train1.")
  lu.assertStrContains(err:match "[^\n]*\n$", "safetensors")
  lu.assertEquals(file.digest(out .. "/last.safetensors"), before)
  for _, name in ipairs(file.list(out)) do lu.assertNotStrContains(name, ".tmp") end
  lu.assertEquals((self:run(("--resume --out '%s'"):format(out))), 0)
end

os.exit(lu.LuaUnit.run())
