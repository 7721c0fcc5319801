-- checkpoint.lua: what a training keeps in files, so that a killed one goes on with the same bits. A checkpoint is a network
-- file (netfile.lua: graph, parameters, buffers) with the optimiser's state tensors as extras and one more metadata entry,
-- "training": JSON of epoch, batch, running sums, counters, history and the scheme's state. It holds no time, host or
-- thread count: equal trainings give equal files. Writing replaces a file whole or not at all; what is read is checked.
--
-- A Keeper is the pair <name>.last and <name>.best of one training; without a folder it keeps the best in memory.

local core = require "exeunt.core"
local files = require "exeunt.file"
local json = require "exeunt.report.json"
local netfile = require "exeunt.netfile"

local checkpoint = {}

-- A record's keys in the order of the file.
local order = { "name", "finished", "epoch", "batch", "step" }

-- write(path, net, states, record): states maps names to tensors; record is a table of what JSON can hold.
function checkpoint.write(path, net, states, record)
  netfile.save(net, path, states, { training = json.encode(record, order, "training") })
end

-- open(path): { path, record, tensors }. Says what is wrong with a file that is no checkpoint.
function checkpoint.open(path)
  local file = netfile.read(path)
  local text = file.metadata.training
  if not text then core.raise("%s: not a training checkpoint (its metadata has no \"training\")", path) end
  local ok, record = pcall(json.decode, text)
  if not ok or type(record) ~= "table" or type(record.epoch) ~= "number" or type(record.name) ~= "string" then
    core.raise("%s: its training record is damaged", path)
  end
  return { path = path, record = json.plain(record), tensors = file.tensors }
end

-- fill(file, name, t): copies the file's tensor of that name into t.
local function fill(file, name, t)
  local from = file.tensors[name]
  if not from then core.raise("%s: holds no tensor %s", file.path, name) end
  local ok, why = pcall(t.copy_, t, from)
  if not ok then core.raise("%s: %s: %s", file.path, name, why) end
end

-- adopt(net, other): net becomes other, for everybody who holds it.
function checkpoint.adopt(net, other)
  for k in pairs(net) do net[k] = nil end
  for k, v in pairs(other) do net[k] = v end
end

-- restore(file, net): parameters, buffers, a and b of an open checkpoint into net; `replace`: net may have another shape
-- (it was pruned during the training), so that it becomes the file's network. Its head, which no file holds, stays.
function checkpoint.restore(file, net, replace)
  if replace then
    local head = net.head
    checkpoint.adopt(net, netfile.load(file.path))
    net.head = head
  else
    for _, v in ipairs(net.graph:values()) do
      if v.kind == "parameter" or v.kind == "buffer" then fill(file, v.name, net.graph:tensor(v.name)) end
    end
  end
  net.loss_weights, net.vote_weights = file.record.loss_weights, file.record.vote_weights
end

-- restore_states(file, states): the optimiser's tensors.
function checkpoint.restore_states(file, states)
  for name, t in pairs(states) do fill(file, name, t) end
end

-- -- A network kept in memory ------------------------------------------------------------------------

local function snapshot(net)
  local fields, values = {}, {}
  for k, v in pairs(net) do fields[k] = v end
  for _, v in ipairs(net.graph:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then values[v.name] = net.graph:tensor(v.name):clone() end
  end
  return { fields = fields, values = values }
end

local function put_back(net, kept)
  checkpoint.adopt(net, kept.fields)
  for name, t in pairs(kept.values) do net.graph:tensor(name):copy_(t) end
end

-- -- Keeper --------------------------------------------------------------------------------------------

local Keeper = {}
Keeper.__index = Keeper

-- keeper(folder or nil, name, first): `first` also links last and best to this training's files.
function checkpoint.keeper(folder, name, first)
  local self = setmetatable({ folder = folder, name = name, first = first }, Keeper)
  if folder then
    files.make_folder(folder)
    self.last = ("%s/%s.last.safetensors"):format(folder, name)
    self.best = ("%s/%s.best.safetensors"):format(folder, name)
  end
  return self
end

function Keeper:link(what)
  if self.first then
    files.link(("%s.%s.safetensors"):format(self.name, what), ("%s/%s.safetensors"):format(self.folder, what))
  end
end

-- save(net, states, record): the state to go on from.
function Keeper:save(net, states, record)
  if not self.folder then return end
  checkpoint.write(self.last, net, states, record)
  self:link "last"
end

-- save_best(net, record): the network to keep; in the file without the optimiser's state.
function Keeper:save_best(net, record)
  if not self.folder then
    self.kept = snapshot(net)
    return
  end
  checkpoint.write(self.best, net, {}, record)
  self:link "best"
end

-- restore_best(net, replace): the kept network into net.
function Keeper:restore_best(net, replace)
  if self.folder then
    checkpoint.restore(checkpoint.open(self.best), net, replace)
  elseif self.kept then
    put_back(net, self.kept)
  end
end

-- found(): the open `last` of an earlier run of this training, or nil.
function Keeper:found()
  if not self.folder or files.kind(self.last) ~= "file" then return end
  local ok, found = pcall(checkpoint.open, self.last)
  if ok then return found end
  if type(found) == "table" then error(found, 0) end
  core.raise("%s; take that file away, and --resume begins this training anew", tostring(found))
end

return checkpoint
