-- network.lua: a network = a graph, the stages that its trunk marks, and its exits. It owns the parameters; what trains,
-- prunes, measures or saves it derives graphs of its own from this one and never changes it.
--     ex.network { input = {C, H, W}, classes = K, build = function(g, x) ... return y end }
-- build adds layers to the graph g from the value x (N, C, H, W) on, marks stages by g:stage(value), and returns the
-- logits (N, K); or, where `head` is given, the trunk's last value, on which head(g, prefix, value, width, classes) builds
-- the classifier. Exits come by exits.anticipate; before it there is one, "exit1".
-- Fields a person may read: graph, input, classes, class_names, normalisation {mean, std}, stages, head, exits
-- { name, logits, stage }, loss_weights, vote_weights, seed.

local core = require "exeunt.core"
local glob = require "exeunt.glob"
local Graph = require "exeunt.graph"
local infer = require "exeunt.infer"
local layer = require "exeunt.nn.layer"
local leaf = require "exeunt.leaf"
local options = require "exeunt.options"
local Seed = require "exeunt.seed"
local surgery = require "exeunt.surgery"
local weighting = require "exeunt.weighting"

local Network = {}
Network.__index = options.guide("a network", Network, {
  state_dict = "parameters", named_parameters = "parameters", predict = "classify", copy = "clone", train = "ex.train(net, data)",
  eval = "forward", summary = "cost", load_state_dict = "ex.load(file)", prune = "ex.prune.exits(net, split)", load = "ex.load(file)",
  shape = "input",
})

local network = { class = Network }

local Exit = {}
function Exit:__tostring()
  return ("%s: %s%s"):format(self.name, self.logits, self.stage and ", after stage " .. self.stage or "")
end

-- -- Making one -----------------------------------------------------------------------------------------

-- from(fields): a Network of parts that are known to fit together. For the engine's own files.
function network.from(fields)
  for _, e in ipairs(fields.exits) do setmetatable(e, Exit) end
  local n = #fields.exits
  fields.loss_weights = fields.loss_weights or weighting.equal(n)
  fields.vote_weights = fields.vote_weights or weighting.equal(n)
  return setmetatable(fields, Network)
end

-- prepare(g, seed): gives a graph what layers and build functions use: g.seed, and g:stage(value), which notes a stage
-- and gives the value back. The list of the stages' names is returned.
function network.prepare(g, seed)
  local stages = {}
  g.seed = seed
  g.stage = function(_, value)
    stages[#stages + 1] = value.name
    return value
  end
  return stages
end

-- logits(value, classes, where): the value, or an error unless it is (N, classes).
function network.logits(value, classes, where)
  if type(value) ~= "table" or type(value.shape) ~= "table" then
    core.raise("%s: expected the logits (N, %d), got %s", where, classes, type(value))
  end
  if #value.shape ~= 2 or value.shape[2] ~= classes or value.shape[1] ~= -1 then
    core.raise("%s: %s is %s, expected logits (N, %d)", where, value.name, layer.shape(value), classes)
  end
  return value
end

local function image_shape(where, input)
  if type(input) ~= "table" or #input ~= 3 then core.raise("%s: input must be {channels, height, width}", where) end
  for _, d in ipairs(input) do layer.count(where, "input", d) end
  return { -1, input[1], input[2], input[3] }
end

local function new(_, given)
  local o = options.check("network", given, {
    input = options.required, classes = options.required, build = options.required, head = options.optional,
    seed = options.optional, class_names = options.optional, normalisation = options.optional,
  })
  layer.count("network", "classes", o.classes)
  local g, seed = Graph.new(), o.seed or Seed()
  local stages = network.prepare(g, seed)
  local y = o.build(g, g:input("input", image_shape("network", o.input), "float32"))
  if o.head then
    if type(y) ~= "table" or type(y.shape) ~= "table" then core.raise("network: build must return a value of the graph") end
    if stages[#stages] ~= y.name then g:stage(y) end
    y = o.head(g, "", y, y.shape[2], o.classes)
  end
  network.logits(y, o.classes, o.head and "network: what head returned" or "network: what build returned")
  return network.from {
    graph = g, input = { unpack(o.input) }, classes = o.classes, class_names = o.class_names, normalisation = o.normalisation,
    stages = stages, head = o.head, seed = seed,
    exits = { { name = "exit1", logits = y.name, stage = #stages > 0 and #stages or nil } },
  }
end

-- -- Parameters -------------------------------------------------------------------------------------------

-- parameters(): a list of { name, tensor, trainable }, sorted by name. The tensors are the network's own.
function Network:parameters()
  local list = {}
  for _, value in ipairs(self.graph:values()) do
    if value.kind == "parameter" then
      list[#list + 1] = { name = value.name, tensor = self.graph:tensor(value.name), trainable = self.graph:trainable(value) }
    end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local function set_trainable(self, pattern, trainable, verb)
  if type(pattern) ~= "string" then core.raise("%s: expected a pattern of parameter names, got %s", verb, type(pattern)) end
  local matches, count = glob.matcher(pattern), 0
  local all = self:parameters()
  for _, p in ipairs(all) do
    if matches(p.name) then
      self.graph:set_trainable(p.name, trainable)
      count = count + 1
    end
  end
  if count > 0 then return count end
  local hint = ""
  for _, p in ipairs(all) do
    if glob.matches(pattern .. ".*", p.name) then hint = (' (did you mean "%s.*"?)'):format(pattern) end
  end
  core.raise('%s: no parameter is named like "%s"%s; the first of %d is %s', verb, pattern, hint, #all,
             all[1] and all[1].name or "-")
end

-- freeze("layer1.*"): takes the parameters whose names match out of training, and so their batch norms into inference
-- form. Gives how many matched; none is an error. unfreeze takes it back.
function Network:freeze(pattern) return set_trainable(self, pattern, false, "freeze") end
function Network:unfreeze(pattern) return set_trainable(self, pattern, true, "unfreeze") end

-- -- Surgery ----------------------------------------------------------------------------------------------

local function values_of(self, list)
  local out = {}
  for i, e in ipairs(list) do out[i] = self.graph:find(e.logits) end
  return out
end

-- The positions of exits that are given by position or name, from shallow to deep.
local function positions(self, which)
  if type(which) ~= "table" or #which == 0 then core.raise("keep: expected a list of exits, such as { 1, 3 }") end
  local taken, list = {}, {}
  for _, w in ipairs(which) do
    local at = type(w) == "number" and self.exits[w] and w
    for i, e in ipairs(self.exits) do if e.name == w then at = i end end
    if not at then
      core.raise("keep: there is no exit %s; the network has %d, %s to %s", tostring(w), #self.exits, self.exits[1].name,
                 self.exits[#self.exits].name)
    end
    if taken[at] then core.raise("keep: exit %s is listed twice", tostring(w)) end
    taken[at], list[#list + 1] = true, at
  end
  table.sort(list)
  return list
end

local function pick(list, at)
  local out = {}
  for i, j in ipairs(at) do out[i] = list[j] end
  return out
end

-- A network of its own on the graph `g`, which holds the exits at the positions `at`; their names stay.
local function derived(self, g, at)
  local stages, number = {}, {}
  for i, name in ipairs(self.stages) do
    if g:find(name) then
      stages[#stages + 1] = name
      number[i] = #stages
    end
  end
  local exits = {}
  for i, e in ipairs(pick(self.exits, at)) do
    exits[i] = { name = e.name, logits = e.logits, stage = e.stage and number[e.stage] }
  end
  return network.from {
    graph = g, input = { unpack(self.input) }, classes = self.classes, class_names = self.class_names,
    normalisation = self.normalisation, stages = stages, head = self.head, seed = self.seed, exits = exits,
    loss_weights = weighting.rescaled(pick(self.loss_weights, at)), vote_weights = weighting.rescaled(pick(self.vote_weights, at)),
  }
end

-- keep{1, 3} or keep{"exit1", "exit3"}: a new network that holds these exits and what they need, with its own copies of
-- the parameters. Exits keep their names; the weights of losses and vote are scaled to sum to 1 again.
function Network:keep(which)
  local at = positions(self, which)
  local part = self.graph:extract(values_of(self, pick(self.exits, at)))
  return derived(self, surgery.copy(part, leaf.copy), at)
end

-- exit_numbers(): the number at the end of each exit's name, as reports show it: exits keep their names when others are cut.
function Network:exit_numbers()
  local list = {}
  for i, e in ipairs(self.exits) do list[i] = tonumber(e.name:match "(%d+)$") or i end
  return list
end

-- clone(): an independent copy of the whole network.
function Network:clone()
  local at = {}
  for i = 1, #self.exits do at[i] = i end
  local copy = derived(self, surgery.copy(self.graph, leaf.copy), at)
  copy.loss_weights, copy.vote_weights = { unpack(self.loss_weights) }, { unpack(self.vote_weights) }
  return copy
end

-- use(data): remembers a data set's class names and normalisation, so that the network and its file can be used without it.
function Network:use(data)
  if data.classes ~= self.classes then
    core.raise("the data set %s has %d classes, the network %d", data.name or "", data.classes, self.classes)
  end
  self.class_names = data.class_names
  self.normalisation = { mean = data.mean, std = data.std }
  return self
end

-- -- Use --------------------------------------------------------------------------------------------------

-- forward(x): x (N, C, H, W) or (C, H, W), normalised -> the weighted vote's logits (N, K), and the list of each exit's.
-- net(x) is the same.
function Network:forward(x)
  return infer.forward(self, x)
end

function Network:__call(x) return self:forward(x) end

-- classify(images): images uint8 or float 0..1, (N, C, H, W) or (C, H, W), normalised here -> a list with, for each image,
-- { class = index from 0, name, score, scores }; scores are the softmax of the vote. For one image (C, H, W) its entry alone.
function Network:classify(images)
  return infer.classify(self, images)
end

-- save(file): writes the network file; ex.load(file) reads it.
function Network:save(file)
  return require("exeunt.netfile").save(self, file)
end

-- cost(): { params, macs, activation_bytes } of the whole network, for one image.
function Network:cost()
  return require("exeunt.cost").of(self)
end

function Network:__tostring()
  return require("exeunt.summary").text(self)
end

return setmetatable(network, { __call = new })
