-- nn/init.lua: the layers, by name. Each is a constructor that checks its options and gives a function(g, name, x) -> y:
--     local y = nn.conv2d { out = 32, kernel = 3, padding = 1 }(g, "features.0", x)
-- The files beside this one say what each does; nn.join(prefix, name) puts names together.

local nn = { join = require("exeunt.nn.layer").join }

for _, file in ipairs { "conv", "linear", "norm", "pool", "simple", "combine" } do
  for name, make in pairs(require("exeunt.nn." .. file)) do nn[name] = make end
end

return nn
