-- models/heads.lua: classifiers that several models share. A head is function(g, prefix, value, width, classes) -> logits:
-- it adds its layers under `prefix` ("" for a model's own classifier, "exits.<i>" for exit i) to a stage's value, whose
-- channels are `width`.

local core = require "exeunt.core"
local nn = require "exeunt.nn"
local options = require "exeunt.options"

local heads = {}

-- pooled(name[, init]): a head of global average pooling and one linear layer of that name; init.linear and init.bias draw
-- its numbers.
function heads.pooled(name, init)
  init = init or {}
  return function(g, prefix, value, _, classes)
    local x = nn.global_avg_pool()(g, nn.join(prefix, "avgpool"), value)
    return nn.linear { out = classes, init = init.linear, bias_init = init.bias }(g, nn.join(prefix, name), x)
  end
end

-- gap: the linear layer is `classifier`, as the method has it for VGG; fc: it is `fc`, as in ResNet.
heads.gap = heads.pooled "classifier"
heads.fc = heads.pooled "fc"

-- flatten: all of the value's numbers into one linear layer.
function heads.flatten(g, prefix, value, _, classes)
  local x = nn.flatten()(g, nn.join(prefix, "flatten"), value)
  return nn.linear { out = classes }(g, nn.join(prefix, "classifier"), x)
end

-- same_shape(a, b): two shapes, axis by axis.
function heads.same_shape(a, b)
  if #a ~= #b then return false end
  for i, d in ipairs(a) do if d ~= b[i] then return false end end
  return true
end

-- last(head, last, earlier): a head that is `head` on values of the shape last(), and `earlier` on all others.
function heads.last(head, last, earlier)
  return function(g, prefix, value, width, classes)
    return (heads.same_shape(value.shape, last()) and head or earlier)(g, prefix, value, width, classes)
  end
end

-- choice(where, given, known): the head that is asked for: a function, or one of `known` by name.
function heads.choice(where, given, known)
  if type(given) == "function" then return given end
  if given ~= nil and known[given] then return known[given] end
  local names = options.sorted_keys(known)
  core.raise('%s: head must be "%s" or a function, got %s', where, table.concat(names, '", "'), tostring(given))
end

return heads
