-- netfile.lua: the network file: safetensors whose __metadata__ holds, under "exeunt.network", the graph as JSON: input,
-- classes, class names, normalisation, leaves, nodes (operator, inputs, attributes), stages, exits, a and b, seed, format
-- version. Parameters and buffers are its tensors, by name, in their logical order, so other programs can read them.
-- A checkpoint of a training is the same file with more tensors ("train/...", "optim/...") and more metadata.
-- Under "exeunt.sha256" stands a digest of all that, compared when the file is read: a flipped bit would otherwise be a
-- weight like any other. A file without it (another program's) is read as it is.
-- A file is data: nothing in it is executed, and every field is checked; an error names the file and the field. A head is
-- Lua code and is not stored; operators written in Lua are found by name and must be defined before the file is loaded.

local core = require "exeunt.core"
local files = require "exeunt.file"
local Graph = require "exeunt.graph"
local json = require "exeunt.report.json"
local leaf = require "exeunt.leaf"
local network = require "exeunt.network"
local options = require "exeunt.options"
local safetensors = require "exeunt.safetensors"
local schema = require "exeunt.netschema"

local KEY, SUM = "exeunt.network", "exeunt.sha256"

local netfile = { KEY = KEY }
local EXTRA = { "^train/", "^optim/" }     -- names of tensors that are not the network's

-- The digest of tensors (by name: type, shape, numbers) and strings (by key), but for the digest itself.
local function digest(tensors, strings)
  local parts = {}
  for _, name in ipairs(options.sorted_keys(tensors)) do
    local t = tensors[name]
    parts[#parts + 1] = ("%d:%s %s (%s) %s"):format(#name, name, t.dtype, table.concat(t.shape, ","), t:digest())
  end
  for _, key in ipairs(options.sorted_keys(strings)) do
    if key ~= SUM then parts[#parts + 1] = ("%d:%s %d:%s"):format(#key, key, #strings[key], strings[key]) end
  end
  return files.digest_text(table.concat(parts, "\n"))
end

-- is_extra(name): whether a tensor of a network file is not the network's, but a training's.
function netfile.is_extra(name)
  for _, pattern in ipairs(EXTRA) do if name:find(pattern) then return true end end
  return false
end

-- -- Writing ------------------------------------------------------------------------------------------------

local function list(t) return json.list { unpack(t) } end

local function names(values)
  local out = json.list()
  for i, v in ipairs(values) do out[i] = v.name end
  return out
end

local function leaves_of(g)
  local out = json.list()
  for _, v in ipairs(g:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then
      local frozen = v.kind == "parameter" and not g:trainable(v) or nil
      out[#out + 1] = { name = v.name, kind = v.kind, shape = list(v.shape), frozen = frozen }
    end
  end
  return out
end

local function nodes_of(g)
  local out = json.list()
  for i, node in ipairs(g:nodes()) do
    local attrs = {}
    for name, numbers in pairs(node.attrs) do attrs[name] = list(numbers) end
    out[i] = { name = node.name, op = node.op, inputs = names(node.inputs), attrs = attrs }
  end
  return out
end

local function exits_of(net)
  local out = json.list()
  for i, e in ipairs(net.exits) do out[i] = { name = e.name, logits = e.logits, stage = e.stage } end
  return out
end

-- describe(net): what the file says of a network, but for its numbers, as JSON; the same network gives the same text.
function netfile.describe(net)
  local norm = net.normalisation
  return json.encode({
    format = schema.FORMAT, input = list(net.input), classes = net.classes,
    class_names = net.class_names and list(net.class_names) or json.null,
    normalisation = norm and { mean = list(norm.mean), std = list(norm.std) } or json.null,
    seed = net.seed, stages = list(net.stages), exits = exits_of(net),
    loss_weights = list(net.loss_weights), vote_weights = list(net.vote_weights),
    leaves = leaves_of(net.graph), nodes = nodes_of(net.graph),
  }, schema.ORDER, "network")
end

-- save(net, path[, tensors, metadata]): writes the network file, atomically. `tensors` (by name, "train/..." or
-- "optim/...") and `metadata` (strings by key) are a training's own.
function netfile.save(net, path, tensors, metadata)
  local all, strings = {}, { [KEY] = netfile.describe(net) }
  for _, v in ipairs(net.graph:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then all[v.name] = net.graph:tensor(v) end
  end
  for name, t in pairs(tensors or {}) do
    if not netfile.is_extra(name) then core.raise('save: the tensor %s must be named "train/..." or "optim/..."', name) end
    all[name] = t
  end
  for key, text in pairs(metadata or {}) do
    if strings[key] or key == SUM then core.raise("save: the metadata %s is the network's own", key) end
    strings[key] = text
  end
  strings[SUM] = digest(all, strings)
  safetensors.write(path, all, strings)
end

-- -- Reading ------------------------------------------------------------------------------------------------

-- The graph that a checked description says, with leaves from the file's tensors; `used` notes which.
local function build(d, tensors, fail, used)
  local g = Graph.new()
  local map = { input = g:input("input", { -1, unpack(d.input) }, "float32") }
  for i, l in ipairs(d.leaves) do
    local where, t = ("leaves[%d] (%s)"):format(i, l.name), tensors[l.name]
    if map[l.name] then fail("%s: the name stands there twice", where) end
    if not t then fail("%s: the file has no such tensor", where) end
    if t.dtype ~= "float32" then fail("%s: the tensor is %s, expected float32", where, t.dtype) end
    local have, want = table.concat(t.shape, ", "), table.concat(l.shape, ", ")
    if have ~= want then fail("%s: the tensor is (%s), the graph expects (%s)", where, have, want) end
    map[l.name] = g[l.kind](g, l.name, leaf.copy(t))
    if l.frozen then g:set_trainable(l.name, false) end
    used[l.name] = true
  end
  for i, n in ipairs(d.nodes) do
    local inputs = {}
    for k, name in ipairs(n.inputs) do
      inputs[k] = map[name] or fail("nodes[%d] (%s): nothing before it makes its input %s", i, n.name, name)
    end
    local made = { pcall(g.node, g, n.name, n.op, inputs, n.attrs) }
    if not made[1] then
      local hint = tostring(made[2]):find "operator" and " (an operator written in Lua must be defined before the file is loaded)" or ""
      fail("nodes[%d]: %s%s", i, tostring(made[2]), hint)
    end
    for k = 2, #made do map[made[k].name] = made[k] end
  end
  return g
end

local function check_places(d, g, fail)
  for i, name in ipairs(d.stages) do
    if not g:find(name) then fail("stages[%d]: the graph makes no value %s", i, name) end
  end
  local seen = {}
  for i, e in ipairs(d.exits) do
    local v = g:find(e.logits) or fail("exits[%d]: the graph makes no value %s", i, e.logits)
    if v.kind ~= "result" or #v.shape ~= 2 or v.shape[1] ~= -1 or v.shape[2] ~= d.classes then
      fail("exits[%d]: %s is not logits (N, %d)", i, e.logits, d.classes)
    end
    if e.stage and not d.stages[e.stage] then fail("exits[%d].stage: there is no stage %d", i, e.stage) end
    if seen[e.name] then fail("exits[%d].name: %s stands there twice", i, e.name) end
    seen[e.name] = true
  end
end

-- read(path): { path, names, metadata, tensors (by name) } of a network file, whose digest is right.
function netfile.read(path)
  local file = safetensors.read(path)
  local sum = file.metadata[SUM]
  if sum and sum ~= digest(file.tensors, file.metadata) then
    core.raise("%s: damaged: what it holds is not what was written (its sha256 does not fit)", path)
  end
  return file
end

-- load(path): the network, and what else the file holds: { tensors = { name = tensor }, metadata = { key = string } }.
function netfile.load(path)
  local file = netfile.read(path)
  local text = file.metadata[KEY]
  if not text then core.raise('%s: a safetensors file, but not of a network: its metadata has no "%s"', path, KEY) end
  local function fail(format, ...) error(path .. ": network: " .. format:format(...), 0) end
  local d = schema.check(text, fail)
  local used, extra = {}, { tensors = {}, metadata = {} }
  local g = build(d, file.tensors, fail, used)
  check_places(d, g, fail)
  for name, t in pairs(file.tensors) do
    if not used[name] then
      if not netfile.is_extra(name) then fail("the tensor %s belongs to nothing in the graph", name) end
      extra.tensors[name] = t
    end
  end
  for key, value in pairs(file.metadata) do if key ~= KEY and key ~= SUM then extra.metadata[key] = value end end
  d.graph, d.leaves, d.nodes, d.format = g, nil, nil, nil
  return network.from(d), extra
end

return netfile
