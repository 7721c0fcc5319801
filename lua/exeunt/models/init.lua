-- models/init.lua: networks by name; each constructor takes a table of options and gives a Network with one exit. lenet, vgg,
-- resnet, densenet, mobilenetv2, mobilenetv3 and efficientnet are families with free widths and depths; resnet50, vgg16_bn,
-- ... are those that torchvision names, with its numbers (named.lua).

local models = {
  lenet = require "exeunt.models.lenet",
  vgg = require "exeunt.models.vgg",
  resnet = require "exeunt.models.resnet",
  densenet = require "exeunt.models.densenet",
  mobilenetv2 = require "exeunt.models.mobilenetv2",
  mobilenetv3 = require "exeunt.models.mobilenetv3",
  efficientnet = require "exeunt.models.efficientnet",
}
for name, make in pairs(require "exeunt.models.named") do models[name] = make end

-- torchvision's spelling of what has another one here.
local elsewhere = { mobilenet_v2 = "mobilenetv2", mobilenet_v3_small = "mobilenetv3small", mobilenet_v3_large = "mobilenetv3large" }
for b = 0, 5 do elsewhere["efficientnet_b" .. b] = "efficientnetB" .. b end

return require("exeunt.options").module("ex.models", models, elsewhere)
