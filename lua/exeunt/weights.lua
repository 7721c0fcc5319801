-- weights.lua: weights from elsewhere: a safetensors file whose tensors are named as the network's parameters and buffers are
-- (for a trunk of ex.models: as in torchvision) into a network that has been built.
--
--   ex.weights.load(net, "resnet18.safetensors")                          -- all of the network from all of the file
--   ex.weights.load(net, file, { skip = { "fc.*" } })                     -- but for these names, which stay as they are
--   ex.weights.load(net, file, { partial = true })                        -- whatever fits
--   ex.weights.fine_tune(net, file)                                       -- the trunk, its stem and the exits stay new
--
-- A report says what became of each name. A file with missing, extra or misshapen tensors is refused with a list of them,
-- unless `partial` is set; a refused file leaves the network as it was. F32, F16 and BF16 become float32, numbers of other types
-- are refused by name. PyTorch's counters `num_batches_tracked` mean nothing here and are passed over, and so is what a
-- training keeps in a network file of ours. It makes no network, trains nothing and changes nothing but numbers.

local core = require "exeunt.core"
local glob = require "exeunt.glob"
local netfile = require "exeunt.netfile"
local network = require "exeunt.network"
local options = require "exeunt.options"
local safetensors = require "exeunt.safetensors"

local weights = {}

local SHOWN = 4                             -- names of a kind in a message; the rest is counted
local FLOATS = { F32 = true, F16 = true, BF16 = true }

local function shape_text(shape) return "(" .. table.concat(shape, ", ") .. ")" end

-- -- Reports ---------------------------------------------------------------------------------------------------

-- { file, loaded = names, missing = { { name, shape } }, extra = { { name, shape, type } }, misshapen = { { name, expected,
-- got } }, kept = names of the network that were asked to stay, unused = names of the file's classifier }: names as in the
-- network, each list in the order of the network or the file.
local Report = {}
Report.__index = Report

local WORDS = {
  missing = function(x) return x.name .. " " .. shape_text(x.shape) end,
  extra = function(x) return x.name .. " " .. shape_text(x.shape) end,
  misshapen = function(x) return ("%s %s, expected %s"):format(x.name, shape_text(x.got), shape_text(x.expected)) end,
}

-- "3 missing: a (1), b (2), c (3)", with a count of what is left out.
local function some(kind, list)
  local shown = {}
  for i = 1, math.min(SHOWN, #list) do shown[i] = WORDS[kind](list[i]) end
  if #list > SHOWN then shown[SHOWN + 1] = ("and %d more"):format(#list - SHOWN) end
  return ("%d %s: %s"):format(#list, kind, table.concat(shown, ", "))
end

-- report:complaint(): what does not fit, in one line, or nil where all does.
function Report:complaint()
  local parts = {}
  for _, kind in ipairs { "missing", "extra", "misshapen" } do
    if #self[kind] > 0 then parts[#parts + 1] = some(kind, self[kind]) end
  end
  return #parts > 0 and table.concat(parts, "; ") or nil
end

function Report:__tostring()
  local text = ("%s: %d tensors"):format(self.file, #self.loaded)
  if #self.kept > 0 then text = ("%s, %d of the network kept"):format(text, #self.kept) end
  if #self.unused > 0 then text = ("%s, %d of the file unused"):format(text, #self.unused) end
  local complaint = self:complaint()
  return complaint and text .. "; " .. complaint or text
end

-- -- Files and networks ------------------------------------------------------------------------------------------

-- The open file; a network file of ours is compared with its checksum first.
local function open(where, path)
  if type(path) ~= "string" then core.raise("%s: expected the path of a safetensors file, got %s", where, type(path)) end
  local file = safetensors.open(path)
  file.ours = file.metadata[netfile.KEY] ~= nil
  if file.ours then netfile.read(path) end
  return file
end

local function check_net(where, net)
  if type(net) ~= "table" or getmetatable(net) ~= network.class then
    core.raise("%s: expected a network, got %s", where, type(net))
  end
end

-- The parameters and buffers of a graph: a list, and a set by name.
local function leaves_of(graph)
  local list, set = {}, {}
  for _, v in ipairs(graph:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then list[#list + 1], set[v.name] = v, v end
  end
  return list, set
end

local function passed_over(file, name)
  return name:match "num_batches_tracked$" ~= nil or file.ours and netfile.is_extra(name)
end

-- A function from the file's names to the network's: nil drops the tensor.
local function renamer(where, rename)
  if rename == nil then return function(name) return name end end
  if type(rename) ~= "table" and type(rename) ~= "function" then
    core.raise("%s: rename must be a function(name) or a table of names, got %s", where, type(rename))
  end
  return function(name)
    local to
    if type(rename) == "function" then to = rename(name) else to = rename[name] end
    if to == nil then return name end
    if to and type(to) ~= "string" then core.raise("%s: rename gives %s for %s, expected a name", where, type(to), name) end
    return to or nil
  end
end

-- The network's names of what the file holds: { name = the file's name }, and the list of both in the file's order.
local function names_of(where, file, rename)
  local to, set, list = renamer(where, rename), {}, {}
  for _, name in ipairs(file.names) do
    local new = not passed_over(file, name) and to(name)
    if new then
      if set[new] then core.raise("%s: %s: rename makes both %s and %s to %s", where, file.path, set[new], name, new) end
      set[new], list[#list + 1] = name, { name = new, from = name }
    end
  end
  return set, list
end

-- A function(name) that says whether one of the patterns matches.
local function any(where, patterns)
  if type(patterns) == "string" then patterns = { patterns } end
  if type(patterns) ~= "table" then core.raise("%s: skip must be a list of patterns of names, got %s", where, type(patterns)) end
  local list = {}
  for i, p in ipairs(patterns) do
    if type(p) ~= "string" then core.raise("%s: skip must be a list of patterns of names, got a %s in it", where, type(p)) end
    list[i] = glob.matcher(p)
  end
  return function(name)
    for _, matches in ipairs(list) do if matches(name) then return true end end
    return false
  end
end

-- compare_with(where, net, file, o): the report, and the list of { leaf, from = the file's name } that fit. o.keeps(name):
-- a name that stays as it is; o.unused(name): a name of the file that the network need not have.
local function compare_with(where, net, file, o)
  local report = setmetatable({ file = file.path, loaded = {}, missing = {}, extra = {}, misshapen = {}, kept = {}, unused = {} }, Report)
  local held, listed = names_of(where, file, o.rename)
  local leaves, known = leaves_of(net.graph)
  local fits = {}
  for _, v in ipairs(leaves) do
    local name, from = v.name, held[v.name]
    if o.keeps(name) then
      report.kept[#report.kept + 1] = name
    elseif not from then
      report.missing[#report.missing + 1] = { name = name, shape = v.shape }
    elseif not FLOATS[file.types[from]] then
      core.raise("%s: %s: tensor \"%s\" is of type %s; a network's numbers are read from F32, F16 and BF16", where, file.path, from,
                 file.types[from])
    elseif shape_text(file.shapes[from]) ~= shape_text(v.shape) then
      report.misshapen[#report.misshapen + 1] = { name = name, expected = v.shape, got = file.shapes[from] }
    else
      report.loaded[#report.loaded + 1] = name
      fits[#fits + 1] = { leaf = v, from = from }
    end
  end
  for _, entry in ipairs(listed) do
    if not known[entry.name] and not o.keeps(entry.name) then
      local to = o.unused(entry.name) and report.unused or report.extra
      to[#to + 1] = to == report.unused and entry.name
        or { name = entry.name, shape = file.shapes[entry.from], type = file.types[entry.from] }
    end
  end
  return report, fits
end

-- Reads all that fits before the first number of the network changes.
local function fill(net, file, fits)
  local read = {}
  for i, p in ipairs(fits) do read[i] = file:read(p.from) end
  for i, p in ipairs(fits) do
    net.graph:tensor(p.leaf):copy_(read[i])
    read[i]:free()
  end
end

local function load_with(where, net, file, o)
  local report, fits = compare_with(where, net, file, o)
  local complaint = report:complaint()
  if #report.loaded == 0 then
    core.raise("%s: %s holds nothing that fits this network%s", where, file.path, complaint and ": " .. complaint or "")
  end
  if complaint and not o.partial then
    core.raise("%s: %s does not fit this network: %s (partial = true loads what fits)", where, file.path, complaint)
  end
  fill(net, file, fits)
  file:free()
  return report
end

-- -- The whole network -----------------------------------------------------------------------------------------------

local function no(_) return false end

local function whole(where, given, known)
  local o = options.check(where, given, known)
  o.keeps, o.unused = any(where, o.skip), no
  return o
end

-- compare(net, file[, { skip, rename }]) -> the report that load would give (`loaded`: what fits); it changes nothing.
function weights.compare(net, path, given)
  local where = "weights.compare"
  check_net(where, net)
  local file = open(where, path)
  local report = compare_with(where, net, file, whole(where, given, { skip = {}, rename = options.optional }))
  file:free()
  return report
end

-- load(net, file[, { partial = false, skip = { "fc.*" }, rename = function or table }]) -> the report. skip: patterns of names
-- that stay as they are and may be missing, extra or misshapen. rename: from the file's names to the network's; nil keeps the
-- name, false drops the tensor. Optimisers and plans made before see the new numbers.
function weights.load(net, path, given)
  local where = "weights.load"
  check_net(where, net)
  local o = whole(where, given, { partial = false, skip = {}, rename = options.optional })
  return load_with(where, net, open(where, path), o)
end

-- -- Fine-tuning -------------------------------------------------------------------------------------------------------

-- The leaves that the stages need: the trunk, without exits.
local function trunk_of(where, net)
  local stages = {}
  for i, name in ipairs(net.stages) do stages[i] = net.graph:find(name) end
  if #stages == 0 then core.raise("%s: the network marks no stages, so that its trunk cannot be told from its classifier", where) end
  local trunk = net.graph:extract(stages)
  local _, set = leaves_of(trunk)
  return trunk, set
end

-- The names of the leaves of the first convolution, and with `norm` of a batch norm right after it.
local function stem_of(trunk, norm)
  local names, made = {}, nil
  local function take(node)
    for _, v in ipairs(node.inputs) do
      if v.kind == "parameter" or v.kind == "buffer" then names[v.name] = true end
    end
  end
  for _, node in ipairs(trunk:nodes()) do
    if not made and node.op == "conv2d" then
      take(node)
      made = node.outputs[1].name
    elseif made and norm and node.op == "batch_norm" and node.inputs[1].name == made then
      take(node)
    end
  end
  return names
end

-- A function(name): whether a name of the file lies behind the trunk and so is its classifier's: its first part is none of
-- the trunk's (fc.weight), or the trunk is one numbered row and the number is past its last (features.12.0.weight).
local function behind(trunk)
  local first, rows, last = {}, 0, nil
  for name in pairs(trunk) do
    local row, number = name:match "^([^.]+)%.(%d+)%."
    row = row or name:match "^[^.]+"
    if not first[row] then first[row], rows = true, rows + 1 end
    last = math.max(last or -1, tonumber(number) or math.huge)
  end
  return function(name)
    if not first[name:match "^[^.]+"] then return true end
    return rows == 1 and (tonumber(name:match "^[^.]+%.(%d+)%." or "") or -1) > last
  end
end

local STEMS = { all = true, convolution = true }

-- fine_tune(net, file[, { stem = "all", partial, skip, rename }]) -> the report: the file's trunk into the network's, as the paper's
-- regime FT does from ImageNet weights. The stem stays new, since it is made for the image's channels: its convolution with its
-- batch norm, or with stem = "convolution" that alone; the classifier or all exits stay new too. The file's own classifier is
-- not used, whatever its shape. The rest of the trunk must be there, in its shapes.
function weights.fine_tune(net, path, given)
  local where = "weights.fine_tune"
  check_net(where, net)
  local o = options.check(where, given, { stem = "all", partial = false, skip = {}, rename = options.optional })
  if not STEMS[o.stem] then core.raise('%s: stem must be "all" or "convolution", got %s', where, tostring(o.stem)) end
  local graph, trunk = trunk_of(where, net)
  local stem, skipped, is_behind = stem_of(graph, o.stem == "all"), any(where, o.skip), behind(trunk)
  local _, all = leaves_of(net.graph)
  function o.keeps(name) return stem[name] or all[name] and not trunk[name] or skipped(name) end
  o.unused = is_behind
  return load_with(where, net, open(where, path), o)
end

return weights
