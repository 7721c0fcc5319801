-- weights.lua: what `weights =` of a training may be, made into one form: a scheme, function(exits, epoch, metrics, state)
-- -> a, b (weighting.lua). Checks what a scheme answers: E finite numbers each, for the losses and for the vote.

local core = require "exeunt.core"
local options = require "exeunt.options"
local weighting = require "exeunt.weighting"

local weights = {}

local function is_list(x, n)
  if type(x) ~= "table" then return false end
  for i = 1, n do
    local w = x[i]
    if type(w) ~= "number" or w ~= w or w == math.huge or w == -math.huge then return false end
  end
  return #x == n
end

local function show(x)
  if type(x) ~= "table" then return tostring(x) end
  local items = {}
  for i, v in ipairs(x) do items[i] = tostring(v) end
  return "{" .. table.concat(items, ", ") .. "}"
end

-- scheme(given, net): given is a scheme, the name of one, { loss = , vote = } with a list each, or nil: the weights that the
-- network has, else "unif".
function weights.scheme(given, net)
  if type(given) == "function" then return given end
  if type(given) == "string" then
    local found = weighting[given]
    if type(found) == "function" then return found end
    local nearest = options.nearest(given, { "unif", "asc", "desc", "mix" })
    core.raise("train: unknown weighting %q%s", given, nearest and ("; did you mean " .. nearest .. "?") or "")
  end
  if given == nil then
    if not (is_list(net.loss_weights, #net.exits) and is_list(net.vote_weights, #net.exits)) then return weighting.unif end
    given = { loss = net.loss_weights, vote = net.vote_weights }
  end
  if type(given) ~= "table" then core.raise("train: weights must be a scheme, its name or { loss = {...}, vote = {...} }, got %s", tostring(given)) end
  local o = options.check("train: weights", given, { loss = options.required, vote = options.required })
  return function() return o.loss, o.vote end
end

local function copy(list)
  return { unpack(list) }
end

-- ask(scheme, net, epoch, metrics, state): a, b as new lists.
function weights.ask(scheme, net, epoch, metrics, state)
  local a, b = scheme(#net.exits, epoch, metrics, state)
  for what, list in pairs { loss = a or false, vote = b or false } do
    if not is_list(list, #net.exits) then
      core.raise("train: epoch %d: the %s weights must be %d finite numbers, one an exit; got %s", epoch, what, #net.exits, show(list))
    end
  end
  return copy(a), copy(b)
end

return weights
