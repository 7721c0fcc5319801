-- nn/norm.lua: batch normalisation of images (N, C, H, W) or rows (N, C), by channel:
-- y = (x - running_mean) / sqrt(running_var + eps) * weight + bias. That is the form a network holds; training replaces it
-- by the batch's own statistics, which move the running ones: running = (1 - momentum) running + momentum batch.

local layer = require "exeunt.nn.layer"
local leaf = require "exeunt.leaf"
local options = require "exeunt.options"

local norm = {}

local FORMS = { [2] = true, [4] = true }

function norm.batch_norm(given)
  local o = options.check("nn.batch_norm", given or {}, { eps = 1e-5, momentum = 0.1 })
  return layer.define("batch_norm", function(g, name, x)
    layer.expect("batch_norm", name, x, FORMS, "images (N, C, H, W) or rows (N, C)")
    local channels = { x.shape[2] }
    return g:node(name, "batch_norm", {
      x,
      g:parameter(name .. ".weight", leaf.full(channels, 1)),
      g:parameter(name .. ".bias", leaf.full(channels, 0)),
      g:buffer(name .. ".running_mean", leaf.full(channels, 0)),
      g:buffer(name .. ".running_var", leaf.full(channels, 1)),
    }, { eps = o.eps, momentum = o.momentum })
  end)
end

return norm
