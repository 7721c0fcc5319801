-- exits.lua: anticipate puts an exit after stages of a network: a classifier of its own on what the trunk has made so far
-- (METHOD: "Anticipate"). It is the network's own head, built anew for the stage's width, or one that the script gives.
-- The trunk keeps its parameters; the exits' are drawn from the network's seed and their names, so that the same call
-- gives the same numbers. It trains nothing.

local core = require "exeunt.core"
local network = require "exeunt.network"
local options = require "exeunt.options"
local surgery = require "exeunt.surgery"
local weighting = require "exeunt.weighting"

local exits = {}

local WHERE = "exits.anticipate"

-- The name of the trunk's value that `at` (a stage's number, or a value's name) says.
local function place(net, at)
  if type(at) == "number" then
    if net.stages[at] then return net.stages[at] end
    core.raise("%s: there is no stage %s; the network has %d", WHERE, tostring(at), #net.stages)
  end
  local value = type(at) == "string" and net.graph:find(at)
  if not value or value.kind ~= "result" then
    core.raise("%s: the network makes no value named %s", WHERE, tostring(at))
  end
  return at
end

-- A set of the values after which exits come: those in `after`, and always the last stage.
local function places(net, after)
  if #net.stages == 0 then
    core.raise("%s: the network marks no stages: call g:stage(value) where an exit may be", WHERE)
  end
  local set = { [net.stages[#net.stages]] = true }
  if after == "all" then
    for _, name in ipairs(net.stages) do set[name] = true end
    return set
  end
  if type(after) ~= "table" or #after == 0 then
    core.raise('%s: after must be a list of stages, such as {1, 2}, or "all"', WHERE)
  end
  for _, at in ipairs(after) do set[place(net, at)] = true end
  return set
end

local function head_of(net, given)
  local head = given or net.head
  if type(head) == "function" then return head end
  if head ~= nil then core.raise("%s: head must be a function(g, prefix, value, width, classes), got %s", WHERE, type(head)) end
  core.raise("%s: the network has no head to build exits from (a network file does not hold one); give it: "
             .. "head = function(g, prefix, value, width, classes) ... return logits end", WHERE)
end

-- The network's stages and the places of exits, in the trunk's order.
local function trunk_of(net, set)
  local wanted, values = {}, {}
  for _, name in ipairs(net.stages) do wanted[name] = true end
  for name in pairs(set) do wanted[name] = true end
  for name in pairs(wanted) do values[#values + 1] = net.graph:find(name) end
  return net.graph:extract(values), wanted
end

-- anticipate(net[, { after = {1, 2, ...} or "all", head = function }]): changes the net: an exit after each stage in
-- `after` and after the last one. `after` takes stages by number, or values of the trunk by name. The exits are named
-- exit1, exit2, ... from shallow to deep, their layers exits.<i>.<layer>. Loss and vote weights become equal. Gives the net.
function exits.anticipate(net, given)
  local o = options.check(WHERE, given or {}, { after = "all", head = options.optional })
  local head, set = head_of(net, o.head), places(net, o.after)
  local trunk, marked = trunk_of(net, set)
  local stages, list = {}, {}
  local g = surgery.copy(trunk, surgery.share, function(g, value)
    if not marked[value.name] then return end
    stages[#stages + 1] = value.name
    if not set[value.name] then return end
    g.seed = net.seed
    local i = #list + 1
    local logits = head(g, "exits." .. i, value, value.shape[2], net.classes)
    network.logits(logits, net.classes, "exits." .. i .. ": what head returned")
    list[i] = { name = "exit" .. i, logits = logits.name, stage = #stages }
  end)
  network.prepare(g, net.seed)
  local made = network.from { graph = g, stages = stages, exits = list }
  net.graph, net.stages, net.exits = g, stages, made.exits
  net.loss_weights, net.vote_weights = weighting.equal(#list), weighting.equal(#list)
  if o.head then net.head = o.head end
  return net
end

return exits
