-- cli/run.lua: `exeunt run RECIPE [knob=value ...]`: reads the command line; running is lua/exeunt/run.lua's.

local usage = require "exeunt.cli.usage"

local command = { about = "run a recipe", usage = "RECIPE [knob=value ...]" }

-- { {name, text}, ... } from "name=text" arguments.
function command.knobs(list)
  local knobs = {}
  for i, text in ipairs(list) do
    local name, value = text:match "^([%a_][%w_]*)=(.*)$"
    if not name then usage.fail("run: '%s' is not of the form knob=value", text) end
    knobs[i] = { name, value }
  end
  return knobs
end

function command.main(args)
  local parser = usage.parser("run", "Runs a recipe: trains, scores and prunes as it says, and keeps all of it in a folder.")
  parser:argument("recipe", "The recipe's Lua file.")
  parser:argument("knobs", "Settings of the recipe: epochs=2, widths=32,64,128. A recipe says which it has."):args "*"
  parser:option("--seed", "The seed of everything random (a whole number).", nil, usage.whole("--seed", 0, 2 ^ 53))
  usage.threads(parser)
  parser:option("--out", "The run's folder; runs/RECIPE-TIME-SEED if not given.")
  parser:flag("--resume", "Go on with an interrupted run.")
  parser:flag("--json", "Print one JSON document instead of the report.")
  local given = usage.parse(parser, args)
  local knobs = command.knobs(given.knobs)
  require("exeunt.signals").install "now"          -- a training puts "step" in its place while it lasts
  return require("exeunt.run").command {
    recipe = given.recipe, knobs = knobs, seed = given.seed, threads = given.threads, out = given.out,
    resume = given.resume or false, json = given.json or false, debug = given.debug or false,
  }
end

return command
