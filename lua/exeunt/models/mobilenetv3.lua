-- models/mobilenetv3.lua: MobileNetV3 (Howard et al. 2019) with free rows. A row { kernel, expand, width, squeeze, act, stride }
-- is an inverted residual (mbconv.lua) that expands to `expand` channels; squeeze 1: with squeeze and excitation through a
-- quarter of them; act "relu" or "hard_swish". Before the rows a 3x3 stem of 16 channels and stride 2 with hard-swish.
-- A head on f channels is a 1x1 convolution to 6 f with batch norm and hard-swish, global average pool, linear to `hidden`,
-- hard-swish, dropout, linear: head = "exit" with hidden = floor(1.75 f) (the method's), "torchvision" with hidden = `last` on
-- the last stage (and "exit" on earlier ones), or a function.
-- Names as in torchvision: features.0.0, features.1.block.0.0, ..., classifier.0, classifier.3. Stages end after the rows
-- that `stages` lists, and after the last. Batch norms have eps 1e-3 and momentum 0.01.
-- init = "torchvision" (convolutions from N(0, 2 / fan_out), linear layers from N(0, 0.01^2)) or "layers" (PyTorch's defaults).

local core = require "exeunt.core"
local heads = require "exeunt.models.heads"
local initial = require "exeunt.nn.initial"
local mbconv = require "exeunt.models.mbconv"
local network = require "exeunt.network"
local nn = require "exeunt.nn"
local options = require "exeunt.options"
local stages = require "exeunt.models.stages"

local NORM = { eps = 1e-3, momentum = 0.01 }
local ACT = { relu = nn.relu(), hard_swish = nn.hard_swish() }
local INIT = {
  layers = {},
  torchvision = { conv = initial.kaiming "fan_out", linear = initial.normal(0.01), bias = initial.zeros() },
}

local function block(g, prefix, x, row, init)
  local kernel, expand, width, squeeze, act, stride = unpack(row)
  return mbconv.block(g, prefix, x, {
    kernel = kernel, expand = expand, out = width, stride = stride, act = ACT[act], norm = NORM, init = init,
    squeeze = squeeze == 1 and mbconv.divisible(math.floor(expand / 4)) or nil, squeeze_act = nn.relu(), gate = nn.hard_sigmoid(),
  })
end

-- The head with hidden(f) numbers before the last layer; its convolution's name goes on from the trunk's.
local function head_of(hidden, o, init)
  local function linear(out) return nn.linear { out = out, init = init.linear, bias_init = init.bias } end
  local conv = "features." .. #o.rows + 1
  return function(g, prefix, value, width, classes)
    local function name(part) return nn.join(prefix, part) end
    local x = mbconv.unit(g, name(conv), value, { out = 6 * width, kernel = 1, act = nn.hard_swish(), norm = NORM, init = init })
    x = nn.global_avg_pool()(g, name "avgpool", x)
    x = linear(hidden(width))(g, name "classifier.0", x)
    x = nn.hard_swish()(g, name "classifier.1", x)
    if o.dropout > 0 then x = nn.dropout { p = o.dropout }(g, name "classifier.2", x) end
    return linear(classes)(g, name "classifier.3", x)
  end
end

local function check_rows(where, rows)
  if type(rows) ~= "table" or #rows == 0 then
    core.raise("%s: rows must be a list of { kernel, expand, width, squeeze, act, stride }", where)
  end
  for i, row in ipairs(rows) do
    if type(row) ~= "table" or #row ~= 6 then
      core.raise("%s: rows[%d] must be { kernel, expand, width, squeeze, act, stride }", where, i)
    end
    stages.list(where, ("rows[%d]"):format(i), { row[1], row[2], row[3], row[6] })
    options.choice(where, ("rows[%d]'s act"):format(i), row[5], ACT)
    if row[4] ~= 0 and row[4] ~= 1 then core.raise("%s: rows[%d]: squeeze must be 0 or 1, got %s", where, i, tostring(row[4])) end
  end
  return rows
end

return function(given, where)
  where = where or "models.mobilenetv3"
  local o = options.check(where, given or {}, {
    input = { 3, 224, 224 }, classes = 1000, rows = options.required, stages = options.optional, last = 1024, dropout = 0.2,
    head = "exit", init = "torchvision", seed = options.optional,
  })
  local rows = check_rows(where, o.rows)
  local ends, init = stages.ends(where, "stages", o.stages, #rows), options.choice(where, "init", o.init, INIT)
  local exit, deepest = head_of(function(f) return math.floor(1.75 * f) end, o, init), nil
  local whole = head_of(function() return o.last end, o, init)
  return network {
    input = o.input, classes = o.classes, seed = o.seed,
    head = heads.choice(where, o.head, { exit = exit, torchvision = heads.last(whole, function() return deepest end, exit) }),
    build = function(g, x)
      x = mbconv.unit(g, "features.0", x, { out = 16, kernel = 3, stride = 2, act = nn.hard_swish(), norm = NORM, init = init })
      for i, row in ipairs(rows) do
        x = block(g, "features." .. i, x, row, init)
        if ends[i] then g:stage(x) end
      end
      deepest = x.shape
      return x
    end,
  }
end
