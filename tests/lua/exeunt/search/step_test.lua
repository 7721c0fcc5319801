-- ex.report: lines of a log, what is refused, and the table of numbers that a recipe may return.
local lu = require "luaunit"
local ex = require "exeunt"
local context = require "exeunt.context"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local open_log = require "exeunt.report.runlog"
local search = dofile "tests/support/search.lua"

TestStep = {}

function TestStep:setUp() self.path = search.place() end
function TestStep:tearDown()
  context.leave()
  search.remove(self.path)
end

function TestStep:test_lines_of_the_log_and_a_step_said_again()
  local path = self.path .. "/log.jsonl"
  context.enter { log = open_log(path) }
  local stderr = io.stderr
  io.stderr = { write = function() end }                        -- luacheck: ignore 122
  ex.report { step = 1, loss = 0.5 }
  ex.report { step = 2, loss = 0 / 0, vote = { val_top1 = 0.25 } }
  context.log = open_log(path)                                  -- another process resumes
  ex.report { step = 1, loss = 0.5 }
  ex.report { step = 2, loss = 4 }
  ex.report { step = 3, loss = 3 }
  lu.assertErrorMsgEquals("report: step 2 comes after step 3: steps of a run go up", ex.report, { step = 2, loss = 9 })
  io.stderr = stderr                                            -- luacheck: ignore 122
  lu.assertEquals(file.read(path), '{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 4}\n{"step": 3, "loss": 3}\n')
end

function TestStep.test_outside_a_run_it_only_checks()
  ex.report { step = 0, loss = 1 }
  local function refused(line, said) lu.assertErrorMsgContains(said, ex.report, line) end
  refused(nil, "report: expected { step = n")
  refused({ loss = 1 }, "report: step must be a whole number from 0 on, got nil")
  refused({ step = 1.5, loss = 1 }, "got 1.5")
  refused({ step = 1 }, "nothing is reported beside the step")
  refused({ step = 1, epoch = 1 }, "'epoch' is what lines of ex.train have")
  refused({ step = 1, loss = print }, "report: loss must be a number or a table of numbers, got a function")
  refused({ step = 1, loss = "0.5" }, 'report: loss must be a number or a table of numbers, got "0.5"')
  refused({ step = 1, vote = { good = true } }, "report: vote.good must be a number or a table of numbers, got a boolean")
  refused({ step = "1", loss = 1 }, 'report: step must be a whole number from 0 on, got "1"')
  refused({ step = 1, 5 }, "values are named")
end

-- exeunt run on the recipe: exit code, standard output, standard error.
function TestStep:run(arguments) return search.run(self.path, "", "run bowl.lua " .. arguments) end

function TestStep:test_a_recipe_may_return_a_plain_table()
  local code, out, err = self:run "x=2 --json --out out"
  lu.assertEquals(code, 0, err)
  lu.assertEquals(json.decode(out).values, { loss = 4, size = 2 })
  lu.assertStrContains(err, "step 3  loss 4.33333")
  code, out = self:run "--out out --resume"
  lu.assertEquals({ code, out }, { 0, '{"loss": 4, "size": 2}\n' })
end

function TestStep:test_what_is_no_table_of_numbers()
  local function says(returned, text)
    local recipe = "local ex = require 'exeunt'\nreturn ex.recipe { about = 'x', run = function()\n  return %s\nend }\n"
    file.write(self.path .. "/bowl.lua", recipe:format(returned))
    local code, _, err = self:run "--out out"
    lu.assertEquals(code, 1)
    lu.assertStrContains(err, text)
  end
  says("{}", "a table without a number in it")
  says("{ loss = 'low' }", "what it returned.loss must be a number or a table of numbers, got a string")
  says("5", "run must return ex.result { ... } or a table of numbers, it returned a number")
end

os.exit(lu.LuaUnit.run())
