-- cli/run.lua: `exeunt run RECIPE [knob=value ...]`: reads the command line; running and printing are lua/exeunt/run.lua's.

local usage = require "exeunt.cli.usage"

local command = { about = "run a recipe", usage = "RECIPE [knob=value ...]" }

-- { {name, text}, ... } from "name=text" arguments.
function command.knobs(list)
  local knobs, seen = {}, {}
  for i, text in ipairs(list) do
    local name, value = text:match "^([%a_][%w_]*)=(.*)$"
    if not name then usage.fail("run: '%s' is not of the form knob=value", text) end
    if seen[name] then usage.fail("run: the knob %s is given twice", name) end
    knobs[i], seen[name] = { name, value }, true
  end
  return knobs
end

local function parser()
  local p = usage.parser("run", "Runs a recipe: trains, scores and prunes as it says, and keeps all of it in a folder.")
  p:argument("recipe", "The recipe's Lua file.")
  p:argument("knobs", "Settings that the recipe has, as knob=value: epochs=2, widths=32,64."):args "*":argname "knob=value"
  p:option("--seed", "The seed of everything random, 420 if not given.", nil, usage.whole("--seed", 0, 2 ^ 53)):argname "N"
  usage.threads(p)
  usage.exact(p)
  p:option("--out", "The run's folder; runs/RECIPE-TIME-SEED if not given."):argname "DIR"
  p:flag("--resume", "Go on with an interrupted run.")
  p:flag("--json", "Print one JSON document instead of the report.")
  return p
end

function command.main(args)
  local given = usage.parse("run", parser(), args)
  local knobs = command.knobs(given.knobs)
  usage.use_exact(given.exact)
  require("exeunt.signals").install "now"   -- a training puts "step" in its place while it lasts
  return require("exeunt.run").command {
    recipe = given.recipe, knobs = knobs, seed = given.seed, threads = given.threads, out = given.out,
    resume = given.resume or false, json = given.json or false, debug = given.debug or false,
  }
end

return command
