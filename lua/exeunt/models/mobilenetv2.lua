-- models/mobilenetv2.lua: MobileNetV2 (Sandler et al. 2018) with free rows. A row { expand, width, count, stride } is `count`
-- inverted residuals of `width` channels, the first with the stride: 1x1 convolution to expand x the channels (left out
-- where expand is 1), 3x3 depthwise, 1x1 to width, each with batch norm, relu6 after the first two; the input is added
-- where shape allows. Before the rows a 3x3 stem, after them a 1x1 convolution to `last` channels; a head is global
-- average pool, dropout, linear.
-- Names as in torchvision: features.0.0, features.1.conv.0.0, ..., classifier.1. Stages end after the rows that `stages`
-- lists; if not given, after each row before a stride and after the last. The last stage holds the last convolution too.
-- init = "torchvision" (convolutions from N(0, 2 / fan_out), the linear layer from N(0, 0.01^2)) or "layers" (PyTorch's defaults).

local core = require "exeunt.core"
local initial = require "exeunt.nn.initial"
local network = require "exeunt.network"
local nn = require "exeunt.nn"
local options = require "exeunt.options"
local stages = require "exeunt.models.stages"

local WHERE = "models.mobilenetv2"

local PAPER = { { 1, 16, 1, 1 }, { 6, 24, 2, 2 }, { 6, 32, 3, 2 }, { 6, 64, 4, 2 }, { 6, 96, 3, 1 }, { 6, 160, 3, 2 }, { 6, 320, 1, 1 } }

local INIT = {
  layers = {},
  torchvision = { conv = initial.kaiming "fan_out", linear = initial.normal(0.01), bias = initial.zeros() },
}

-- conv, batch norm (and relu6), named <prefix>.0, .1, .2.
local function unit(g, prefix, x, o)
  x = nn.conv2d { out = o.out, kernel = o.kernel, stride = o.stride or 1, padding = (o.kernel - 1) / 2, groups = o.groups or 1,
                  bias = false, init = o.init }(g, prefix .. ".0", x)
  x = nn.batch_norm()(g, prefix .. ".1", x)
  return nn.relu6()(g, prefix .. ".2", x)
end

local function inverted_residual(g, prefix, x, expand, width, stride, init)
  local channels, y, at = x.shape[2], x, 0
  local function name() return ("%s.conv.%d"):format(prefix, at) end
  if expand ~= 1 then
    y = unit(g, name(), y, { out = expand * channels, kernel = 1, init = init })
    at = at + 1
  end
  y = unit(g, name(), y, { out = expand * channels, kernel = 3, stride = stride, groups = expand * channels, init = init })
  at = at + 1
  y = nn.conv2d { out = width, kernel = 1, bias = false, init = init }(g, name(), y)
  at = at + 1
  y = nn.batch_norm()(g, name(), y)
  if stride ~= 1 or channels ~= width then return y end
  return nn.add()(g, nn.join(prefix, "add"), x, y)
end

local function check_rows(rows)
  if type(rows) ~= "table" or #rows == 0 then core.raise("%s: rows must be a list of { expand, width, count, stride }", WHERE) end
  for i, row in ipairs(rows) do
    local where = ("rows[%d]"):format(i)
    if type(row) ~= "table" or #row ~= 4 then core.raise("%s: %s must be { expand, width, count, stride }", WHERE, where) end
    stages.list(WHERE, where, row)
  end
  return rows
end

-- The set of rows after which a stage ends.
local function stage_ends(given, rows)
  local ends = { [#rows] = true }
  if given == nil then
    for i = 1, #rows - 1 do ends[i] = rows[i + 1][4] > 1 or nil end
    return ends
  end
  for _, i in ipairs(stages.list(WHERE, "stages", given)) do
    if not rows[i] then core.raise("%s: stages names row %d, but there are %d", WHERE, i, #rows) end
    ends[i] = true
  end
  return ends
end

-- The head's layers, dropout left out where p is 0.
local function head_of(p, init)
  return function(g, prefix, value, _, classes)
    local x = nn.global_avg_pool()(g, nn.join(prefix, "avgpool"), value)
    if p > 0 then x = nn.dropout { p = p }(g, nn.join(prefix, "classifier.0"), x) end
    return nn.linear { out = classes, init = init.linear, bias_init = init.bias }(g, nn.join(prefix, "classifier.1"), x)
  end
end

return function(given)
  local o = options.check(WHERE, given or {}, {
    input = { 3, 224, 224 }, classes = 1000, rows = PAPER, stem = 32, stem_stride = 2, last = 1280, dropout = 0.2,
    stages = options.optional, init = "torchvision", head = options.optional, seed = options.optional,
  })
  local rows = check_rows(o.rows)
  local ends = stage_ends(o.stages, rows)
  local init = options.choice(WHERE, "init", o.init, INIT)
  return network {
    input = o.input, classes = o.classes, seed = o.seed, head = o.head or head_of(o.dropout, init),
    build = function(g, x)
      local index = 0
      local function name()
        index = index + 1
        return "features." .. index - 1
      end
      x = unit(g, name(), x, { out = o.stem, kernel = 3, stride = o.stem_stride, init = init.conv })
      for i, row in ipairs(rows) do
        local expand, width, count, stride = unpack(row)
        for k = 1, count do x = inverted_residual(g, name(), x, expand, width, k == 1 and stride or 1, init.conv) end
        if ends[i] and i < #rows then g:stage(x) end
      end
      return g:stage(unit(g, name(), x, { out = o.last, kernel = 1, init = init.conv }))
    end,
  }
end
