-- models/init.lua: networks by name; each constructor takes a table of options and gives a Network with one exit. lenet, vgg,
-- resnet, densenet and mobilenetv2 are families with free widths and depths; resnet50, vgg16_bn, ... are those that
-- torchvision names, with its numbers (named.lua).

local models = {
  lenet = require "exeunt.models.lenet",
  vgg = require "exeunt.models.vgg",
  resnet = require "exeunt.models.resnet",
  densenet = require "exeunt.models.densenet",
  mobilenetv2 = require "exeunt.models.mobilenetv2",
}
for name, make in pairs(require "exeunt.models.named") do models[name] = make end

return setmetatable(models, { __index = require("exeunt.options").guide("ex.models", models) })
