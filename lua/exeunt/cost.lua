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

-- One network, ready to be timed: f() -> the milliseconds of one image; and its session.
local function timer(net)
  local session = infer.fresh(net, 1)
  local image = tensor.normal({ 1, unpack(net.input) }, 0, 1, { seed = 0, stream = "cost.latency" })
  local answer = tensor.zeros { 1, net.classes }
  return function()
    session:vote_weights(net.vote_weights)
    session:bind(image)
    local start = C.ex_clock()
    session:run(1)
    session:read(session:outputs(), answer)
    return (C.ex_clock() - start) * 1e3
  end, session
end

-- PLACES: how often each network is laid out in memory anew; ROUNDS: in which the networks take turns, at each place.
local PLACES, ROUNDS = 5, 2

-- One place: times[i] grows up to as many runs as `upto` says for each round.
local function take_turns(nets, place, times, warmup, upto)
  local timers, sessions = {}, {}
  for k = 1, #nets do
    local i = (place + k - 2) % #nets + 1                     -- another one first at each place
    timers[i], sessions[i] = timer(nets[i])
  end
  for round = 1, ROUNDS do
    for i, time in ipairs(timers) do
      if upto(round) > #times[i] then
        for _ = 1, round == 1 and warmup or math.min(warmup, 2) do time() end
        while #times[i] < upto(round) do times[i][#times[i] + 1] = time() end
      end
    end
  end
  for _, session in ipairs(sessions) do session:free() end
end

-- latencies(nets[, { runs = 100, warmup = 20 }]): a list, for each network milliseconds from a normalised image in memory to the
-- vote in memory, at batch 1, with all exits: { median_ms, q1_ms, q3_ms, min_ms, max_ms, runs, warmup, threads }. The networks take
-- turns, so that a machine that drifts drifts for all of them, and five times they are laid out in memory anew: where weights of a
-- hundred megabytes come to lie makes a fifth of the time in some virtual machines. Before its runs at a place a network warms up.
function cost.latencies(nets, given)
  local o = options.check("cost.latency", given or {}, { runs = 100, warmup = 20 })
  if o.runs < 1 then core.raise("cost.latency: runs must be at least 1, got %s", tostring(o.runs)) end
  local times = {}
  for i = 1, #nets do times[i] = {} end
  for place = 1, PLACES do
    take_turns(nets, place, times, o.warmup, function(round)
      return math.floor(o.runs * ((place - 1) * ROUNDS + round) / (PLACES * ROUNDS))
    end)
  end
  local threads = C.ex_team_size(Plan.team())
  for i, t in ipairs(times) do
    table.sort(t)
    times[i] = setmetatable({
      median_ms = cost.quantile(t, 0.5), q1_ms = cost.quantile(t, 0.25), q3_ms = cost.quantile(t, 0.75),
      min_ms = t[1], max_ms = t[#t], runs = o.runs, warmup = o.warmup, threads = threads,
    }, Latency)
  end
  return times
end

-- latency(net[, { runs, warmup }]): of one network, as above.
function cost.latency(net, given) return cost.latencies({ net }, given)[1] end

return cost
