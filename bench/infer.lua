-- infer.lua NET BATCH THREADS: our inference with the last head alone, timed in blocks on request (serve.lua): from
-- normalised images in memory to logits in memory, through the plan that evaluation uses (infer.lua of the engine).

package.path = "bench/?.lua;" .. package.path
local ex = require "exeunt"
local infer = require "exeunt.infer"
local nets = require "nets"

local name, batch, threads = arg[1], tonumber(arg[2]), tonumber(arg[3])
ex.threads(threads)

local net = nets.make(name, 1)
local session = infer.session(net, batch)
local logits = ex.tensor.zeros { batch, net.classes }
session:bind(nets.images(net, batch))

local function run()
  session:run(batch)
  session:read(1, logits)
end

for _ = 1, 20 do run() end
require "serve"(nets.ready(net), run)
