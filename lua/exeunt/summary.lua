-- summary.lua: a network as a table for a person: a row for each node with its output's shape, parameters and MACs for one
-- image; exits are marked where their logits are made, frozen parameters by "frozen"; then totals.

local cost = require "exeunt.cost"
local layer = require "exeunt.nn.layer"
local tables = require "exeunt.report.table"

local summary = {}

local function size(shape)
  local n = 1
  for _, d in ipairs(shape) do n = n * d end
  return n
end

-- The parameters that a node is the first to use, as a count, and whether any of them trains.
local function parameters(g, node, seen)
  local count, trains = 0, false
  for _, v in ipairs(node.inputs) do
    if v.kind == "parameter" and not seen[v.name] then
      seen[v.name] = true
      count, trains = count + size(v.shape), trains or g:trainable(v)
    end
  end
  return count, trains
end

local function marks(net)
  local at = {}
  for i, name in ipairs(net.stages) do at[name] = "stage " .. i end
  for _, e in ipairs(net.exits) do at[e.logits] = e.name end
  return at
end

-- rows(net): { layer, operator, output, parameters, MACs, mark } for each node.
function summary.rows(net)
  local rows, seen, at = {}, {}, marks(net)
  for _, node in ipairs(net.graph:nodes()) do
    local count, trains = parameters(net.graph, node, seen)
    local mark = at[node.outputs[1].name] or ""
    if count > 0 and not trains then mark = mark == "" and "frozen" or mark .. ", frozen" end
    rows[#rows + 1] = { node.name, node.op, layer.shape(node.outputs[1]), count > 0 and tables.count(count) or "",
                        node.macs > 0 and tables.count(node.macs) or "", mark }
  end
  return rows
end

local function list(t)
  local out = {}
  for i, x in ipairs(t) do out[i] = ("%.4g"):format(x) end
  return table.concat(out, " ")
end

-- text(net): the table, and what the whole network costs.
function summary.text(net)
  local columns = { "layer", "operator", "output", { title = "parameters", align = "right" }, { title = "MACs", align = "right" }, "" }
  local c, n = cost.of(net), #net.exits
  local lines = {
    ("network: input %s, %d classes, %d exit%s"):format(layer.shape(net.graph:find "input"), net.classes, n, n == 1 and "" or "s"),
    (tables.render(columns, summary.rows(net)):gsub("\n$", "")),
    ("total: %s parameters, %s MACs, %s of activations for one image")
    :format(tables.count(c.params), tables.count(c.macs), tables.bytes(c.activation_bytes)),
  }
  if n > 1 then lines[#lines + 1] = ("loss weights %s; vote weights %s"):format(list(net.loss_weights), list(net.vote_weights)) end
  return table.concat(lines, "\n")
end

return summary
