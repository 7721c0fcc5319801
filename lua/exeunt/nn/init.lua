-- nn/init.lua: the layers, by name. Each is a constructor that checks its options and gives a function(g, name, x) -> y:
--     local y = nn.conv2d { out = 32, kernel = 3, padding = 1 }(g, "features.0", x)
-- The files beside this one say what each does; nn.join(prefix, name) puts names together; nn.initial
-- holds what weights may be drawn from.

local nn = { join = require("exeunt.nn.layer").join, initial = require "exeunt.nn.initial" }

for _, file in ipairs { "conv", "linear", "norm", "pool", "simple", "combine" } do
  for name, make in pairs(require("exeunt.nn." .. file)) do nn[name] = make end
end

return require("exeunt.options").module("ex.nn", nn, {
  Conv2d = "conv2d", Linear = "linear", BatchNorm2d = "batch_norm", batch_norm2d = "batch_norm", MaxPool2d = "max_pool",
  max_pool2d = "max_pool", AvgPool2d = "avg_pool", avg_pool2d = "avg_pool", AdaptiveAvgPool2d = "adaptive_avg_pool",
  adaptive_avg_pool2d = "adaptive_avg_pool", ReLU = "relu", SiLU = "silu", Hardswish = "hard_swish",
  Hardsigmoid = "hard_sigmoid", hardswish = "hard_swish", hardsigmoid = "hard_sigmoid", Sequential = "sequential",
  Dropout = "dropout", Flatten = "flatten",
  conv = "conv2d", cat = "concat", functional = "op",
})
