-- cost.lua: what a network costs. Parameters, multiply-accumulates (convolutions and linear layers) and activation memory
-- are counted over the nodes that its exits need; latency is measured, one image at a time, through the plan that
-- net:forward uses. Counted numbers are exact; measured ones come with their spread, since machines drift.

local core = require "exeunt.core"
local infer = require "exeunt.infer"
local options = require "exeunt.options"
local Plan = require "exeunt.plan"
local tensor = require "exeunt.tensor"
local C = core.C

local cost = {}

local Cost = {}
function Cost:__tostring()
  return ("%d parameters, %d MACs, %d bytes of activations (one image)"):format(self.params, self.macs, self.activation_bytes)
end

-- of(net[, exits]): { params, macs, activation_bytes } of what the exits need (a list of positions; all by default).
function cost.of(net, exits)
  local values = {}
  if exits then
    for i, e in ipairs(exits) do values[i] = net.graph:find(net.exits[e].logits) end
  else
    for i, e in ipairs(net.exits) do values[i] = net.graph:find(e.logits) end
  end
  local c = net.graph:extract(values):cost()
  return setmetatable({ params = c.parameters, macs = c.macs, activation_bytes = c.activation_bytes }, Cost)
end

-- quantile(sorted, q): by linear interpolation between neighbours, as NumPy's default.
function cost.quantile(sorted, q)
  local at = 1 + q * (#sorted - 1)
  local low = math.floor(at)
  local high = math.min(low + 1, #sorted)
  return sorted[low] + (at - low) * (sorted[high] - sorted[low])
end

local Latency = {}
function Latency:__tostring()
  return ("%.3f ms (quartiles %.3f to %.3f; %d runs after %d, batch 1, %d threads)")
         :format(self.median_ms, self.q1_ms, self.q3_ms, self.runs, self.warmup, self.threads)
end

-- latency(net[, { runs = 100, warmup = 20 }]): milliseconds from a normalised image in memory to the vote in memory, at
-- batch 1, with all exits: { median_ms, q1_ms, q3_ms, min_ms, max_ms, runs, warmup, threads }.
function cost.latency(net, given)
  local o = options.check("cost.latency", given or {}, { runs = 100, warmup = 20 })
  if o.runs < 1 then core.raise("cost.latency: runs must be at least 1, got %s", tostring(o.runs)) end
  local session = infer.session(net, 1)
  local image = tensor.normal({ 1, unpack(net.input) }, 0, 1, { seed = 0, stream = "cost.latency" })
  local answer = tensor.zeros { 1, net.classes }
  session:vote_weights(net.vote_weights)
  session:bind(image)
  local last, times = session:outputs(), {}
  for i = 1 - o.warmup, o.runs do
    local start = C.ex_clock()
    session:run(1)
    session:read(last, answer)
    local seconds = C.ex_clock() - start
    if i > 0 then times[i] = seconds * 1e3 end
  end
  table.sort(times)
  return setmetatable({
    median_ms = cost.quantile(times, 0.5), q1_ms = cost.quantile(times, 0.25), q3_ms = cost.quantile(times, 0.75),
    min_ms = times[1], max_ms = times[#times], runs = o.runs, warmup = o.warmup, threads = C.ex_team_size(Plan.team()),
  }, Latency)
end

return cost
