-- cli/where.lua: conditions that hold, and those that no trial could meet.

local lu = require "luaunit"
local where = require "exeunt.cli.where"

TestWhere = {}

local study = { document = { objective = { { minimize = "loss" }, { maximize = "acc" } }, space = { knobs = {
  { name = "lr", kind = "real", low = 1e-4, high = 1 }, { name = "optimizer", kind = "choice", values = { "adam", "sgd" } },
  { name = "widths", kind = "choice", values = { { 8, 16 }, { 16, 32 } } },
  { name = "size", kind = "choice", values = { 8, 16, 32 } } } } } }

local trials = {
  { number = 0, state = "complete", feasible = true,
    params = { lr = 0.1, optimizer = "sgd", widths = { 8, 16 }, size = 8 }, values = { 1, 2 } },
  { number = 1, state = "complete", feasible = false,
    params = { lr = 0.5, optimizer = "adam", size = 32 }, values = { 3, 4 }, worker = "w" },
  { number = 2, state = "failed", error = "it broke" },
}

local function found(text)
  local holds, list = where.condition(text, where.names(trials, study)), {}
  for _, trial in ipairs(trials) do
    if holds(trial) then list[#list + 1] = trial.number end
  end
  return list
end

local function refused(text, message)
  local ok, why = pcall(found, text)
  lu.assertFalse(ok)
  lu.assertEquals(why, { code = 2, message = "trials: --where: " .. message })
end

function TestWhere.test_what_holds()
  for text, list in pairs { ["lr<0.2"] = { 0 }, ["lr=5e-1"] = { 1 }, ["state=failed"] = { 2 }, ["state!=failed"] = { 0, 1 },
                            ["feasible=true"] = { 0 }, ["optimizer=adam"] = { 1 }, ["widths=[8, 16]"] = { 0 }, ["size>=16"] = { 1 },
                            ["size=8.0"] = { 0 }, ["acc>2"] = { 1 }, ["value2<=2"] = { 0 }, ["error=it broke"] = { 2 },
                            ["worker=v"] = {}, ["number>=1"] = { 1, 2 } } do
    lu.assertEquals(found(text), list, text)
  end
end

function TestWhere.test_what_no_trial_could_meet()
  refused("lr<abc", "lr is a number, got 'abc'")
  refused("loss=", "loss is a number, got ''")
  refused("seconds>long", "seconds is a number, got 'long'")
  refused("state=done", "state is never 'done'; there are running, interrupted, paused, complete, stopped and failed")
  refused("state=complet", "state is never 'complet'; did you mean 'complete'?")
  refused("feasible=yes", "feasible is never 'yes'; there are true and false")
  refused("optimizer!=adan", "optimizer is never 'adan'; did you mean 'adam'?")
  refused("size=9", "size is never '9'; there are 8, 16 and 32")
  refused("optimiser=adam", "there is no 'optimiser'; did you mean 'optimizer'?")
end

-- Without a space what the trials have says it.
function TestWhere.test_params_of_no_space()
  local bare = { document = {} }
  local known = where.names({ { params = { a = 1, b = "x" } }, { params = { a = 2, b = 3 } } }, bare)
  lu.assertEquals({ known.a.kind, known.b.kind, known.value.kind }, { "number", "text", "number" })
end

os.exit(lu.LuaUnit.run())
