-- infer.lua: a network's inference plans. A session is the network's graph with the vote, compiled for a largest batch:
-- outputs 1..E are the exits' logits (n, K), output E + 1 the weighted vote (with one exit the vote is that exit).
-- Sessions are kept in the network, one for each largest batch, until its graph, the thread team or Plan.exact changes; parameters that
-- training changes are seen by the plans themselves. It scores nothing and knows no data sets.

local core = require "exeunt.core"
local Plan = require "exeunt.plan"
local tensor = require "exeunt.tensor"

local infer = {}

local LARGEST = 128                        -- images in a run of forward
local SIZES = { 1, 16, LARGEST }           -- a batch runs in the smallest of these that holds it

local Session = {}
Session.__index = Session

local function build(net, batch)
  local values = {}
  for i, e in ipairs(net.exits) do values[i] = net.graph:find(e.logits) end
  local g, outputs = net.graph:extract(values), {}
  for i, e in ipairs(net.exits) do outputs[i] = g:find(e.logits) end
  local n, weights = #outputs, nil
  if n > 1 then
    weights = tensor.zeros { n }
    outputs[n + 1] = g:node("exits.vote", "weighted_sum", { g:input("exits.vote_weights", { n }, "float32"), unpack(outputs) })
  end
  local plan = Plan.new(g, { outputs = outputs, batch = batch, training = false })
  if weights then plan:bind("exits.vote_weights", weights) end
  return setmetatable({ plan = plan, exits = n, batch = batch, classes = net.classes, weights = weights }, Session)
end

-- session(net, batch): the session for a largest batch, made when it is not there yet.
function infer.session(net, batch)
  local team, exact, kept = Plan.team(), Plan.exact(), net.sessions
  if not kept or kept.graph ~= net.graph or kept.exits ~= net.exits or kept.team ~= team or kept.exact ~= exact then
    kept = { graph = net.graph, exits = net.exits, team = team, exact = exact }
    net.sessions = kept
  end
  kept[batch] = kept[batch] or build(net, batch)
  return kept[batch]
end

-- fresh(net, batch): a session of the caller's own, with memory of its own; Session:free() gives that back.
function infer.fresh(net, batch) return build(net, batch) end

function Session:free() self.plan:free() end

-- bind(images): float32 (N, C, H, W), read at each run.
function Session:bind(images)
  self.plan:bind("input", images)
end

-- vote_weights(b): the weights of the runs that follow.
function Session:vote_weights(b)
  if not self.weights then return end
  for i, w in ipairs(b) do self.weights[i] = w end
end

-- outputs(): how many outputs there are; the last one is the vote.
function Session:outputs()
  return self.exits + (self.weights and 1 or 0)
end

-- run(n): the first n images of what is bound.
function Session:run(n)
  self.plan:run(n, 0, 0)
end

-- read(i, out): output i of the last run into the tensor out (n, K).
function Session:read(i, out)
  self.plan:output(i, out)
end

-- -- Forward ----------------------------------------------------------------------------------------------

-- x as (N, C, H, W), and whether it was one image without its axis.
local function batch_of(net, x, where)
  if not tensor.is(x) then
    core.raise("%s: expected a tensor of images, got %s%s", where, type(x), x == nil and " (with a colon: net:" .. where .. "(x))" or "")
  end
  local s, want = x.shape, net.input
  local single = #s == 3
  if single then x, s = x:reshape { 1, s[1], s[2], s[3] }, { 1, s[1], s[2], s[3] } end
  if #s ~= 4 or s[2] ~= want[1] or s[3] ~= want[2] or s[4] ~= want[3] then
    core.raise("%s: images are (%s), the network takes (N, %d, %d, %d)", where, table.concat(x.shape, ", "), unpack(want))
  end
  if s[1] == 0 then core.raise("%s: there are no images", where) end
  return x, single
end

local function size_for(n)
  for _, size in ipairs(SIZES) do if n <= size then return size end end
  return LARGEST
end

-- forward(net, x): x float32 (N, C, H, W) or (C, H, W) -> vote (N, K), list of each exit's logits (N, K).
function infer.forward(net, x)
  x = batch_of(net, x, "forward")
  if x.dtype ~= "float32" then
    core.raise("forward: images must be float32 and normalised, got %s: net:classify takes raw images", x.dtype)
  end
  local count = x.shape[1]
  local session = infer.session(net, size_for(count))
  session:vote_weights(net.vote_weights)
  local out = {}
  for i = 1, session:outputs() do out[i] = tensor.zeros { count, net.classes } end
  for start = 0, count - 1, session.batch do
    local n = math.min(session.batch, count - start)
    session:bind(x:narrow(0, start, n))
    session:run(n)
    for i, t in ipairs(out) do session:read(i, t:narrow(0, start, n)) end
  end
  local vote = out[session:outputs()]
  out[session.exits + 1] = nil
  return vote, out
end

-- -- Classify ---------------------------------------------------------------------------------------------

-- (C) numbers as (C, 1, 1), which goes along with images.
local function channels(list)
  return tensor(list):reshape { #list, 1, 1 }
end

-- images as float32 0..1 with the network's normalisation.
local function normalised(net, images)
  local norm = net.normalisation
  if not norm then
    core.raise("classify: the network knows no normalisation: give it by net:use(data) or "
               .. "net.normalisation = { mean = {...}, std = {...} }")
  end
  if images.dtype == "uint8" then images = images:clone "float32" / 255 end
  return (images - channels(norm.mean)) / channels(norm.std)
end

local Guess = {}
function Guess:__tostring() return ("%s (%.3f)"):format(self.name, self.score) end

-- classify(net, images): see network.lua.
function infer.classify(net, images)
  local x, single = batch_of(net, images, "classify")
  local scores = infer.forward(net, normalised(net, x)):softmax()
  local out = {}
  for i, row in ipairs(scores:to_list()) do
    local best = 1
    for k, s in ipairs(row) do if s > row[best] then best = k end end
    local name = net.class_names and net.class_names[best] or tostring(best - 1)
    out[i] = setmetatable({ class = best - 1, name = name, score = row[best], scores = row }, Guess)
  end
  if single then return out[1] end
  return out
end

return infer
