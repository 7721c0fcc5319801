-- cli/plan.lua: `exeunt plan RECIPE [knob=value ...]`: the compiled plan of the recipe's first training, node by node:
-- operator, kernel, shape of the result, bytes, multiply-accumulates. With --profile also where the time of its step goes
-- (profile.lua): some steps are taken on the recipe's data, and nothing of them is kept.

local tables = require "exeunt.report.table"
local term = require "exeunt.report.term"
local usage = require "exeunt.cli.usage"

local command = { about = "show the plan of a recipe's first training, or where its time goes", usage = "RECIPE [knob=value ...]" }

local HOTTEST = 10                          -- nodes in the table of hot spots
local LARGEST = 10                          -- results in the table of what takes most memory

local function shape_text(node)
  local dims = {}
  for i, n in ipairs(node.shape) do dims[i] = n == -1 and "N" or ("%d"):format(n) end
  return #dims > 0 and table.concat(dims, "x") or "scalar"
end

-- What is special about a node: "commit" writes state at the end of the step; "constant" runs only after a leaf changed;
-- "alias" takes no memory of its own; "pieces": its result is never there for the whole batch, only for the few images that
-- each thread takes through the nodes of its chain.
local function marks(node)
  local list = {}
  if node.commit then list[#list + 1] = "commit" end
  if node.constant then list[#list + 1] = "constant" end
  if node.kernel == "alias" then list[#list + 1] = "alias"
  elseif node.in_pieces then list[#list + 1] = "pieces" end
  return table.concat(list, " ")
end

local function unless_zero(format)
  return function(n) return n == 0 and "" or format(n) end
end

-- A number in units of `unit`, or nothing.
local function scaled(x, unit, format)
  return x and (format or "%.1f"):format(x / unit) or ""
end

-- -- Tables -------------------------------------------------------------------------------------------

local function right(title, spare) return { title = title, align = "right", spare = spare } end
local function cut(title, least) return { title = title, least = least } end
local TIMES = { right "ms", right("best", 3), right "share", right("GFLOP/s", 1), right("GB/s", 2) }

-- The cells of TIMES of a node, or of a row of hot spots: milliseconds are medians, best the least.
local function times(row)
  return scaled(row.seconds, 1e-3, "%.3f"), scaled(row.best, 1e-3, "%.3f"), scaled(row.share, 0.01, "%.1f %%"),
         scaled(row.flops, 1e9), scaled(row.bandwidth, 1e9)
end

local function append(list, ...)
  for i = 1, select("#", ...) do list[#list + 1] = (select(i, ...)) end
  return list
end

-- A table, and below it what it lacks where the terminal is too narrow.
local function shown(columns, rows)
  local text, dropped = tables.render(columns, rows, term.room())
  if not dropped or #dropped == 0 then return text end
  return ("%snot shown for want of room: %s; a wider terminal, a pipe or --json has all\n"):format(text, table.concat(dropped, ", "))
end

local function node_table(nodes, profiled)
  local rows, bytes = {}, unless_zero(tables.bytes)
  local columns = { "#", right("chain", 5), cut("node", 16), cut("operator", 10), cut("kernel", 8), "shape",
                    { title = "memory", format = bytes, spare = profiled and 5 or nil }, { title = "scratch", format = bytes, spare = 6 },
                    { title = "in use", format = bytes, spare = 7 },
                    { title = "MACs/image", format = unless_zero(tables.count), spare = profiled and 4 or nil } }
  if profiled then append(columns, unpack(TIMES)) end
  columns[#columns + 1] = cut("", 8)
  for i, node in ipairs(nodes) do
    rows[i] = { i, node.chain or "", node.name, node.op, node.kernel, shape_text(node), node.bytes, node.scratch, node.live, node.macs }
    if profiled then append(rows[i], times(node)) end
    append(rows[i], marks(node))
  end
  return shown(columns, rows)
end

-- What the column "chain" means, where there is one.
local function chains_text(nodes)
  for _, node in ipairs(nodes) do
    if node.chain then
      return "the nodes of a chain run one after another on a few images at a time; what is marked pieces is never there for all\n"
    end
  end
  return ""
end

local function totals(info)
  return ("%d nodes, batch up to %d, %d thread%s; %s MACs an image\n%s in one arena; the results would take %s without sharing")
    :format(info.nodes, info.batch, info.threads, info.threads == 1 and "" or "s", tables.count(info.macs),
            tables.bytes(info.arena_bytes), tables.bytes(info.sum_bytes))
end

-- What is there for the whole batch while the node runs at which most memory is in use: the largest results, by size.
local function peak_text(nodes, info)
  local there, rows, rest = {}, {}, 0
  for i, node in ipairs(nodes) do
    if node.at_peak and node.bytes > 0 then there[#there + 1] = { i, node.name, node.bytes } end
  end
  table.sort(there, function(a, b)
    if a[3] ~= b[3] then return a[3] > b[3] end
    return a[1] < b[1]
  end)
  for i, row in ipairs(there) do
    if i <= LARGEST then rows[i] = row else rest = rest + row[3] end
  end
  if rest > 0 then rows[#rows + 1] = { "", ("%d smaller ones"):format(#there - LARGEST), rest } end
  return ("most is in use while %d %s runs: %s, with scratch\n\n%s"):format(info.peak, nodes[info.peak].name, tables.bytes(info.peak_bytes),
    shown({ right "#", cut("results that are there then", 16), { title = "memory", format = tables.bytes } }, rows))
end

local function operator_table(p, info)
  local rows = {}
  for i, row in ipairs(require("exeunt.profile").by_operator(p, info.batch)) do
    rows[i] = append({ row.name, row.kernel, row.count }, times(row))
  end
  return shown(append({ cut("operator", 10), cut("kernel", 8), "nodes" }, unpack(TIMES)), rows)
end

local function hottest_table(p)
  local rows = {}
  for i, node in ipairs(require("exeunt.profile").by_node(p, HOTTEST)) do
    rows[i] = append({ node.name, node.kernel, shape_text(node) }, times(node))
  end
  return shown(append({ cut("hottest nodes", 16), cut("kernel", 8), "shape" }, unpack(TIMES)), rows)
end

local function step_text(p)
  return ("a step of %d images: %.3f ms, %.0f images/s with %.3f ms of waiting for the batch (medians of %d)\n")
      :format(p.n, p.step * 1e3, p.images_per_s, p.wait * 1e3, p.steps)
    .. ("%.1f GFLOP/s over the step, %.0f %% of the %.0f that %d thread%s give%s in registers now\n")
      :format(p.flops / 1e9, 100 * p.flops / p.peak_flops, p.peak_flops / 1e9, p.threads, p.threads == 1 and "" or "s",
              p.threads == 1 and "s" or "")
    .. ("nodes take %.3f ms of %.3f when each is timed\n"):format(p.nodes_seconds * 1e3, p.timed_step * 1e3)
end

-- The plan as text: a table of nodes, then totals; with a profile its columns, and the hot spots. title: what it is the
-- plan of.
function command.text(plan, title, profiled)
  local info = plan:info()
  local nodes = profiled and profiled.nodes or plan:nodes()
  local text = ("%s\n\n%s\n%s\n%s%s"):format(title, node_table(nodes, profiled), totals(info), chains_text(nodes), peak_text(nodes, info))
  if not profiled then return text end
  return table.concat({ text, operator_table(profiled, info), hottest_table(profiled), step_text(profiled) }, "\n")
end

-- -- JSON ---------------------------------------------------------------------------------------------

local ORDER = { "recipe", "train", "batch", "threads", "macs", "arena_bytes", "sum_bytes", "peak", "peak_bytes", "profile",
                "nodes", "name", "op", "kernel", "shape", "dtype", "bytes", "traffic", "scratch", "live" }

-- The same as a document; the batch in a shape is null.
function command.json(plan, recipe, name, profiled)
  local json = require "exeunt.report.json"
  local info, nodes = plan:info(), json.list()
  for i, node in ipairs(profiled and profiled.nodes or plan:nodes()) do
    local shape = json.list()
    for k, d in ipairs(node.shape) do shape[k] = d == -1 and json.null or d end
    if not profiled then node.seconds = nil end
    node.shape, nodes[i] = shape, node
  end
  local document = { recipe = recipe, train = name, batch = info.batch, threads = info.threads, macs = info.macs,
                     arena_bytes = info.arena_bytes, sum_bytes = info.sum_bytes, peak = info.peak,
                     peak_bytes = info.peak_bytes, nodes = nodes }
  if profiled then
    local p = {}
    for k, v in pairs(profiled) do if k ~= "nodes" then p[k] = v end end
    document.profile = p
  end
  return json.encode(document, ORDER, "plan") .. "\n"
end

-- -- The command --------------------------------------------------------------------------------------

local function parser()
  local p = usage.parser("plan", "Shows the compiled plan of a recipe's first training. Nothing is trained for good.")
  p:argument("recipe", "The recipe's Lua file.")
  p:argument("knobs", "Settings of the recipe, as for run."):args "*":argname "knob=value"
  p:flag("--profile", "Take some steps, and show where their time goes.")
  p:option("--steps", "Steps that are timed node by node (and as many as a whole); two seconds' worth if not given.", nil,
    usage.whole("--steps", 1, 100000)):argname "N"
  p:flag("--json", "Print one JSON document instead of the tables.")
  usage.threads(p)
  usage.exact(p)
  return p
end

function command.main(args)
  local given = usage.parse("plan", parser(), args)
  if given.steps and not given.profile then usage.fail("plan: --steps says how long to profile: give --profile too") end
  usage.use_threads(given.threads)
  usage.use_exact(given.exact)
  require("exeunt.signals").install "now"
  local knobs = {}
  for _, knob in ipairs(require("exeunt.cli.run").knobs(given.knobs)) do knobs[knob[1]] = knob[2] end
  local run = require "exeunt.run"
  local plan, name, training = run.plan_of(given.recipe, knobs, given.json)
  local profiled = given.profile and require("exeunt.profile").training(training, given.steps)
  local text = given.json and command.json(plan, given.recipe, name, profiled)
    or command.text(plan, ("%s: one step of %s"):format(given.recipe, name), profiled)
  usage.write(io.stdout, text)
end

return command
