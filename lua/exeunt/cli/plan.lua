-- cli/plan.lua: `exeunt plan RECIPE [knob=value ...]`: the compiled plan of the recipe's first training, node by node:
-- operator, kernel, shape of the result, bytes, multiply-accumulates. Nothing is trained.

local tables = require "exeunt.report.table"
local usage = require "exeunt.cli.usage"

local command = { about = "show the plan of a recipe's first training", usage = "RECIPE [knob=value ...]" }

local function shape_text(node)
  local dims = {}
  for i, n in ipairs(node.shape) do dims[i] = n == -1 and "N" or ("%d"):format(n) end
  return #dims > 0 and table.concat(dims, "x") or "scalar"
end

-- What is special about a node: "commit" writes state at the end of the step; "constant" runs only after a leaf changed;
-- "alias" takes no memory of its own.
local function marks(node)
  local list = {}
  if node.commit then list[#list + 1] = "commit" end
  if node.constant then list[#list + 1] = "constant" end
  if node.kernel == "alias" then list[#list + 1] = "alias" end
  return table.concat(list, " ")
end

local function unless_zero(format)
  return function(n) return n == 0 and "" or format(n) end
end

-- The plan as text: a table of nodes, then totals. title: what it is the plan of.
function command.text(plan, title)
  local info, rows, scratch = plan:info(), {}, 0
  for i, node in ipairs(plan:nodes()) do
    scratch = math.max(scratch, node.scratch)
    rows[i] = { i, node.name, node.op, node.kernel, shape_text(node), node.bytes, node.scratch, node.macs, marks(node) }
  end
  local bytes = unless_zero(tables.bytes)
  local text = tables.render({ "#", "node", "operator", "kernel", "shape", { title = "memory", format = bytes },
    { title = "scratch", format = bytes }, { title = "MACs/image", format = unless_zero(tables.count) }, "" }, rows)
  local totals = ("%d nodes, batch up to %d, %d thread%s; %s MACs an image\n%s in one arena; the results would take %s without sharing")
    :format(info.nodes, info.batch, info.threads, info.threads == 1 and "" or "s", tables.count(info.macs),
            tables.bytes(info.arena_bytes), tables.bytes(info.sum_bytes))
  return ("%s\n\n%s\n%s\n"):format(title, text, totals)
end

function command.main(args)
  local parser = usage.parser("plan", "Shows the compiled plan of a recipe's first training. Nothing is trained.")
  parser:argument("recipe", "The recipe's Lua file.")
  parser:argument("knobs", "Settings of the recipe, as for run."):args "*":argname "knob=value"
  usage.threads(parser)
  usage.exact(parser)
  local given = usage.parse("plan", parser, args)
  usage.use_threads(given.threads)
  usage.use_exact(given.exact)
  require("exeunt.signals").install "now"
  local knobs = {}
  for _, knob in ipairs(require("exeunt.cli.run").knobs(given.knobs)) do knobs[knob[1]] = knob[2] end
  local plan, name = require("exeunt.run").plan_of(given.recipe, knobs)
  usage.write(io.stdout, command.text(plan, ("%s: one step of %s"):format(given.recipe, name)))
end

return command
