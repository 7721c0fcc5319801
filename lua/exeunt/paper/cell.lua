-- paper/cell.lua: one cell of the paper's grid: a network, a data set, an image size, a regime, a scheme and a seed, trained as
-- in the paper (section 4): Adam at 1e-4, batches of 64, no augmentation, early stopping with a patience of 12 epochs on the
-- validation loss, the checkpoint of the best validation vote, then the best of all subsets of exits by the paper's tie rule.
-- Scheme "se" is the same network with its last exit only, which the others are compared with.
-- Regime "tr" trains from scratch, "ft" from weights in a file with torchvision's names, the first convolution and the exits new.

local core = require "exeunt.core"
local options = require "exeunt.options"

local cell = {}

-- What the paper normalises by where the data set's manifest says otherwise.
local normalised = { ["fashion-mnist"] = { mean = { 0.5 }, std = { 0.5 } } }

local known = {
  net = options.required,              -- the name of a constructor in ex.models
  data = "fashion-mnist", size = 0,    -- pixels of a side; 0: as the files are
  regime = "tr", weights = options.optional,         -- the file of regime "ft"
  scheme = "mix", seed = 420, epochs = 100, batch = 64, lr = 1e-4, patience = 12,
  train_limit = options.optional, tie = "paper",
  validation = "usual",                -- images held back; "usual": as many as the paper holds back of this data set
}

local schemes = { asc = true, desc = true, mix = true, unif = true, se = true }
local regimes = { tr = true, ft = true }

local function one_of(name, value, set)
  if set[value] then return end
  core.raise("paper.cell: no %s '%s'%s", name, tostring(value), options.suggest(value, options.sorted_keys(set)))
end

-- settings(given): all settings of a cell, checked: what identifies it.
function cell.settings(given)
  local s = options.check("paper.cell", given, known)
  one_of("scheme", s.scheme, schemes)
  one_of("regime", s.regime, regimes)
  one_of("tie", s.tie, require("exeunt.prune.exits").rules)
  if s.regime == "ft" and not s.weights then
    core.raise("paper.cell: regime=ft needs weights=FILE, a safetensors file with torchvision's names (exeunt weights --help)")
  end
  if s.regime ~= "ft" and s.weights then
    core.raise("paper.cell: weights are where regime=ft begins; regime=%s begins from none", s.regime)
  end
  if type(s.net) ~= "string" or not rawget(require "exeunt.models", s.net) then
    core.raise("paper.cell: no network '%s'%s", tostring(s.net), options.suggest(s.net, options.sorted_keys(require "exeunt.models")))
  end
  return s
end

-- name(settings): a name for its training and for people, such as vgg16-fashion-mnist-32-tr-mix-420.
function cell.name(s)
  local data = s.data:match "([^/]+)$":gsub("%.ya?ml$", "")
  return ("%s-%s-%s-%s-%s-%d"):format(s.net, data, s.size > 0 and s.size or "full", s.regime, s.scheme, s.seed)
end

-- data(settings): the data set, opened as the cell trains on it.
function cell.data(s)
  local by = normalised[s.data] or {}
  return require("exeunt").data.open(s.data, { size = s.size > 0 and s.size or nil, validation = s.validation,
                                               train_limit = s.train_limit, mean = by.mean, std = by.std })
end

-- beginning(settings, data): the network as the cell's training begins with it.
function cell.beginning(s, data)
  local net = cell.network(s, s.scheme ~= "se", data)
  if s.regime == "ft" then require("exeunt").weights.fine_tune(net, s.weights) end
  return net
end

-- network(settings, anticipated, data): the cell's network, untrained, with all its exits or its last one only.
function cell.network(s, anticipated, data)
  local ex = require "exeunt"
  local net = ex.models[s.net] { input = data.shape, classes = data.classes, seed = s.seed }
  return anticipated and ex.exits.anticipate(net) or net
end

-- cell(settings[, { quiet = false }]) -> a result (ex.result): trained, pruned, scored on the test images.
return setmetatable(cell, { __call = function(_, given, how)
  local ex = require "exeunt"
  local s = cell.settings(given)
  local data = cell.data(s)
  local net = cell.beginning(s, data)
  local fit = ex.train(net, data, {
    name = cell.name(s), seed = s.seed, weights = s.scheme ~= "se" and s.scheme or nil, epochs = s.epochs, batch = s.batch,
    optimizer = ex.optim.adam { lr = s.lr }, early_stopping = s.patience,
    quiet = options.check("paper.cell", how or {}, { quiet = false }).quiet,
  })
  local best = s.scheme ~= "se" and ex.prune.exits(net, data.validation, { tie = s.tie }) or nil
  return ex.result { label = s.scheme, seed = s.seed, train = fit, net = net, pruned = best, test = data.test }
end })
