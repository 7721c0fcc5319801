-- models/lenet.lua: LeNet-5 as it is built today: conv 6@5x5 (padding 2), pool, conv 16@5x5, pool, then 120, 84, classes,
-- with relu and max pooling (LeCun et al. 1998 had tanh, averages and RBF outputs). Two stages, one after each pool.
-- The head looks at the value it is put on: what has the last stage's channels and size gets the whole classifier, an
-- earlier stage gets global average pooling and one linear layer.

local nn = require "exeunt.nn"
local network = require "exeunt.network"
local options = require "exeunt.options"
local heads = require "exeunt.models.heads"

local features = nn.sequential {
  nn.conv2d { out = 6, kernel = 5, padding = 2 }, nn.relu(), nn.max_pool { kernel = 2 },
}

local classifier = function(classes)
  return nn.sequential {
    nn.linear { out = 120 }, nn.relu(), nn.linear { out = 84 }, nn.relu(), nn.linear { out = classes },
  }
end

return function(given)
  local o = options.check("models.lenet", given or {}, { input = { 1, 28, 28 }, classes = 10, seed = options.optional })
  local last
  return network {
    input = o.input, classes = o.classes, seed = o.seed,
    build = function(g, x)
      x = g:stage(features(g, "features", x))
      for i, layer in ipairs { nn.conv2d { out = 16, kernel = 5 }, nn.relu(), nn.max_pool { kernel = 2 } } do
        x = layer(g, "features." .. i + 2, x)
      end
      last = x.shape
      return g:stage(x)
    end,
    head = function(g, prefix, value, _, classes)
      if not heads.same_shape(value.shape, last) then return heads.gap(g, prefix, value, nil, classes) end
      local x = nn.flatten()(g, nn.join(prefix, "flatten"), value)
      return classifier(classes)(g, nn.join(prefix, "classifier"), x)
    end,
  }
end
