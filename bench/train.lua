-- train.lua NET HEADS BATCH: our training step, timed in blocks on request: what ex.train runs (train/step.lua), on one
-- synthetic batch, with SGD of momentum 0.9 and weight decay 5e-4, on two threads. bench/peers/pt_train.py has the same
-- step and the same protocol: says "ready PARAMETERS" when warm; for each line on standard input
--     block SECONDS   trains for about so long, answers "STEPS SECONDS"
--     memory          answers the peak resident memory of this process in MiB
--     quit            ends, as the end of input does

local ex = require "exeunt"
local core = require "exeunt.core"
local Step = require "exeunt.train.step"

local name, heads, batch = arg[1], tonumber(arg[2]), tonumber(arg[3])
ex.threads(2)

local makers = {
  lenet = function() return ex.models.lenet { input = { 1, 28, 28 }, classes = 10, seed = 1 } end,
  vgg = function() return ex.models.vgg { widths = { 32, 64, 128 }, input = { 1, 28, 28 }, classes = 10, seed = 1 } end,
  resnet20 = function() return ex.models.resnet { depth = 20, input = { 3, 32, 32 }, classes = 10, seed = 1 } end,
}

local function peak_memory()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmHWM:%s*(%d+)"
    if kib then return kib / 1024 end
  end
end

local net = makers[name]()
if heads > 1 then ex.exits.anticipate(net) end
assert(#net.exits == heads, ("%s has %d heads, not %d"):format(name, #net.exits, heads))

local c, h, w = unpack(net.input)
local images = ex.tensor.normal({ batch, h, w, c }):permute(0, 3, 1, 2)   -- channels-last in memory, as the loader's batches
local labels = {}
for i = 1, batch do labels[i] = i % 10 end

local step = Step.new(net, { batch = batch, optimizer = ex.optim.sgd { lr = 0.01, momentum = 0.9, weight_decay = 5e-4 } })
local weights = {}
for i = 1, heads do weights[i] = 1 end
step:weigh(weights)
step:feed { images = images, labels = ex.tensor(labels, "int32") }

local t = 0
local function train(seconds, least)
  local steps, start = 0, core.C.ex_clock()
  while steps < least or core.C.ex_clock() - start < seconds do
    t, steps = t + 1, steps + 1
    step:run(batch, 1, t, 1)
  end
  return steps, core.C.ex_clock() - start
end

train(0, 5)
io.stdout:setvbuf "line"
print("ready " .. net:cost().params)
for line in io.lines() do
  local what, seconds = line:match "^(%a+)%s*([%d.]*)$"
  if what == "quit" then break end
  if what == "block" then print(("%d %.6f"):format(train(tonumber(seconds), 1))) else print(("%.3f"):format(peak_memory())) end
end
