-- conv.lua DIRECTION BATCH IN OUT SIZE KERNEL STRIDE GROUPS THREADS: one convolution (fwd, dgrad or wgrad; square images,
-- padding KERNEL/2) as a plan of one node, timed in blocks on request (serve.lua). Weights may have changed since the last
-- run, as in training, so what the kernels do to their layout is part of the time. bench/peers/dnnl_conv.c is oneDNN's side.

package.path = "bench/?.lua;" .. package.path
local ex = require "exeunt"
local Graph = require "exeunt.graph"
local Plan = require "exeunt.plan"
local leaf = require "exeunt.leaf"

local direction, numbers = arg[1], {}
for i = 2, #arg do numbers[i - 1] = tonumber(arg[i]) end
local batch, ci, co, size, kernel, stride, groups, threads = unpack(numbers)
ex.threads(threads)

local padding = math.floor(kernel / 2)
local out = math.floor((size + 2 * padding - kernel) / stride) + 1
local attrs = { stride = { stride, stride }, padding = { padding, padding }, groups = groups }

local g = Graph.new()
local function images(name, channels, side) return g:input(name, { -1, channels, side, side }, "float32") end
local function weight() return g:parameter("w", leaf.uniform({ co, ci / groups, kernel, kernel }, 0.1, 1, "w")) end

local y
if direction == "fwd" then
  y = g:node("y", "conv2d", { images("x", ci, size), weight() }, attrs)
elseif direction == "dgrad" then
  attrs.size = { size, size }
  y = g:node("y", "conv2d_grad_input", { images("dy", co, out), weight() }, attrs)
else
  attrs.kernel = { kernel, kernel }
  y = g:node("y", "conv2d_grad_weight", { images("x", ci, size), images("dy", co, out) }, attrs)
end

local plan = Plan.new(g, { outputs = { y }, batch = batch, training = true })
local function bind(name, channels, side)
  plan:bind(name, ex.tensor.normal({ batch, side, side, channels }):permute(0, 3, 1, 2))
end
if direction ~= "dgrad" then bind("x", ci, size) end
if direction ~= "fwd" then bind("dy", co, out) end

local function run() plan:run(batch) end
for _ = 1, 3 do run() end
require "serve"("ready " .. plan:nodes()[1].kernel, run)
