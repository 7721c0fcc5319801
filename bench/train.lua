-- train.lua NET HEADS BATCH THREADS WIDTH: our training step, timed in blocks on request (serve.lua): what ex.train runs
-- (train/step.lua), on one synthetic batch, with SGD of momentum 0.9 and weight decay 5e-4 (the paper's networks: Adam).
-- bench/peers/pt_train.py is the same step. With the sixth and seventh arguments "profile" and a number of steps it prints where
-- the step's time goes instead (profile.lua of the engine).

package.path = "bench/?.lua;" .. package.path
local ex = require "exeunt"
local core = require "exeunt.core"
local nets = require "nets"
local Step = require "exeunt.train.step"

local name, heads, batch, threads, width = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4] or 2), tonumber(arg[5] or 1)
ex.threads(threads)

local net = nets.make(name, heads, width)
local labels, weights = {}, {}
for i = 1, batch do labels[i] = i % 10 end
for i = 1, heads do weights[i] = 1 end

local step = Step.new(net, { batch = batch, optimizer = nets.optimizer(name) })
step:weigh(weights)
step:feed { images = nets.images(net, batch), labels = ex.tensor(labels, "int32") }

local t = 0
local function train()
  t = t + 1
  step:run(batch, 1, t, 1)
end

if arg[6] == "profile" then
  local p = require("exeunt.profile").of(step.plan, { n = batch, steps = tonumber(arg[7]), run = function()
    local from = core.C.ex_clock()
    train()
    return core.C.ex_clock() - from
  end })
  io.write(require("exeunt.cli.plan").text(step.plan, ("one step of %s with %d heads"):format(name, heads), p))
  return
end

for _ = 1, 5 do train() end
require "serve"(nets.ready(net), train)
