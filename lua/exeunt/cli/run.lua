-- cli/run.lua: `exeunt run RECIPE [knob=value ...]`: the command line of a run, and what it prints. Running is
-- lua/exeunt/run.lua's; the report's words are lua/exeunt/report's.

local usage = require "exeunt.cli.usage"

local command = { about = "run a recipe", usage = "RECIPE [knob=value ...]" }

-- { name = text } from "name=text" arguments.
function command.knobs(list)
  local knobs = {}
  for _, text in ipairs(list) do
    local name, value = text:match "^([%a_][%w_]*)=(.*)$"
    if not name then usage.fail("'%s' is not of the form knob=value", text) end
    if knobs[name] then usage.fail("the knob %s is given twice", name) end
    knobs[name] = value
  end
  return knobs
end

-- From here on everything that Lua prints goes to standard error; gives the true standard output.
local function take_stdout()
  local stdout = io.stdout
  io.output(io.stderr)
  io.stdout = io.stderr
  _G.print = function(...)
    local texts = {}
    for i = 1, select("#", ...) do texts[i] = tostring((select(i, ...))) end
    io.stderr:write(table.concat(texts, "\t"), "\n")
  end
  return stdout
end

local function parser()
  local p = usage.parser("run", "Runs a recipe: trains, scores and prunes as it says, and keeps all of it in a folder.")
  p:argument("recipe", "The recipe's Lua file.")
  p:argument("knobs", "Settings of the recipe: epochs=2, widths=32,64,128. A recipe says which it has."):args "*":argname "knob=value"
  p:option("--seed", "The seed of everything random (a whole number).", nil, usage.whole("--seed", 0, 2 ^ 53)):argname "N"
  usage.threads(p)
  p:option("--out", "The run's folder; runs/RECIPE-TIME-SEED if not given."):argname "DIR"
  p:flag("--resume", "Go on with an interrupted run.")
  p:flag("--json", "Print one JSON document instead of the report.")
  return p
end

function command.main(args)
  local given = usage.parse(parser(), args)
  local knobs = command.knobs(given.knobs)
  local stdout = given.json and take_stdout() or io.stdout
  usage.use_threads(given.threads)
  require("exeunt.signals").install "now"   -- a training puts "step" in its place while it lasts
  local found, document, folder = require("exeunt.run").execute {
    recipe = given.recipe, knobs = knobs, seed = given.seed, out = given.out, resume = given.resume or false,
  }
  usage.write(stdout, given.json and document or found:text())
  if not given.json then io.stderr:write("The run is in ", folder, ".\n") end
end

return command
