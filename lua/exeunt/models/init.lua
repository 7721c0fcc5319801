-- models/init.lua: networks by name; each constructor takes a table of options and gives a Network with one exit.

local models = {
  lenet = require "exeunt.models.lenet",
  vgg = require "exeunt.models.vgg",
  resnet = require "exeunt.models.resnet",
  mobilenetv2 = require "exeunt.models.mobilenetv2",
}

return setmetatable(models, { __index = require("exeunt.options").guide("ex.models", models) })
