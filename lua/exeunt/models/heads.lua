-- models/heads.lua: classifiers that several models share. A head is function(g, prefix, value, width, classes) -> logits:
-- it adds its layers under `prefix` ("" for a model's own classifier, "exits.<i>" for exit i) to a stage's value, whose
-- channels are `width`.

local nn = require "exeunt.nn"

local heads = {}

-- gap: global average pooling and one linear layer, named `classifier`, as the method has it for VGG.
function heads.gap(g, prefix, value, _, classes)
  local x = nn.global_avg_pool()(g, nn.join(prefix, "avgpool"), value)
  return nn.linear { out = classes }(g, nn.join(prefix, "classifier"), x)
end

-- fc: the same with the linear layer named `fc`, as in ResNet.
function heads.fc(g, prefix, value, _, classes)
  local x = nn.global_avg_pool()(g, nn.join(prefix, "avgpool"), value)
  return nn.linear { out = classes }(g, nn.join(prefix, "fc"), x)
end

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

return heads
