-- nn/pool.lua: pooling of images (N, C, H, W). Options as PyTorch's: kernel, stride = kernel, padding = 0, and
-- dilation = 1 (max) or count_include_pad = true (average), ceil_mode = false. global_avg_pool gives rows (N, C).

local layer = require "exeunt.nn.layer"
local options = require "exeunt.options"

local pool = {}

local function number(flag) return flag and 1 or 0 end

function pool.max_pool(given)
  local o = options.check("nn.max_pool", given, {
    kernel = options.required, stride = options.optional, padding = 0, dilation = 1, ceil_mode = false,
  })
  local attrs = { kernel = layer.pair(o.kernel), stride = layer.pair(o.stride or o.kernel),
                  padding = layer.pair(o.padding), dilation = layer.pair(o.dilation), ceil_mode = number(o.ceil_mode) }
  return layer.define("max_pool", function(g, name, x) return g:node(name, "max_pool2d", { x }, attrs) end)
end

function pool.avg_pool(given)
  local o = options.check("nn.avg_pool", given, {
    kernel = options.required, stride = options.optional, padding = 0, ceil_mode = false, count_include_pad = true,
  })
  local attrs = { kernel = layer.pair(o.kernel), stride = layer.pair(o.stride or o.kernel), padding = layer.pair(o.padding),
                  ceil_mode = number(o.ceil_mode), count_include_pad = number(o.count_include_pad) }
  return layer.define("avg_pool", function(g, name, x) return g:node(name, "avg_pool2d", { x }, attrs) end)
end

-- adaptive_avg_pool{ size = 7 or {rows, columns} }: means over windows that share the image evenly.
function pool.adaptive_avg_pool(given)
  local o = options.check("nn.adaptive_avg_pool", given, { size = options.required })
  local size = layer.pair(o.size)
  for i = 1, 2 do layer.count("nn.adaptive_avg_pool", "size", size[i]) end
  return layer.define("adaptive_avg_pool", function(g, name, x)
    return g:node(name, "adaptive_avg_pool", { x }, { size = size })
  end)
end

function pool.global_avg_pool()
  return layer.define("global_avg_pool", function(g, name, x) return g:node(name, "global_avg_pool", { x }) end)
end

return pool
