-- evaluate.lua: what a network does on a split of a data set: top-1, top-5 and mean cross-entropy of each exit, the vote,
-- its confusion matrix. Logits of all exits are computed once and kept, so that other votes (pruning) cost no second pass.
-- It changes nothing in the network and never looks at augmented images.

local core = require "exeunt.core"
local ensemble = require "exeunt.ensemble"
local infer = require "exeunt.infer"
local options = require "exeunt.options"
local tensor = require "exeunt.tensor"

local evaluate = {}

local BATCH = 128

-- An error unless the split's images fit the network; `where` begins it.
local function check(net, split, where)
  if type(split) ~= "table" or type(split.loader) ~= "function" then
    core.raise("%s: expected a split of a data set, such as data.validation, got %s", where, type(split))
  end
  local s, want = split.images.shape, net.input
  if s[2] ~= want[1] or s[3] ~= want[2] or s[4] ~= want[3] then
    core.raise("%s: images are (%d, %d, %d), the network takes (%d, %d, %d)", where, s[2], s[3], s[4], unpack(want))
  end
  if split.count == 0 then core.raise("%s: the split holds no images", where) end
end

-- logits(net, split[, batch[, where]]): logits (E, N, K) of all exits, labels (N) int32, in the split's order. where: whose error a
-- split that does not fit is.
function evaluate.logits(net, split, batch, where)
  check(net, split, where or "evaluate")
  local loader = split:loader { batch = batch or BATCH, augment = false }
  local session = infer.session(net, batch or BATCH)
  local count = split.count
  local logits = tensor.zeros { session.exits, count, net.classes }
  local labels = tensor.zeros({ count }, "int32")
  session:bind(loader.images)
  loader:start(nil, 0, 0, 0)
  local done = 0
  local n = loader:next()
  while n do
    session:run(n)
    for i = 1, session.exits do session:read(i, logits[i]:narrow(0, done, n)) end
    labels:narrow(0, done, n):copy_(loader.labels:narrow(0, 0, n))
    done = done + n
    n = loader:next()
  end
  if loader.free then loader:free() end     -- a script's own split may have nothing to end
  if done ~= count then core.raise("evaluate: the split gave %d images of %d", done, count) end
  return logits, labels
end

local function percent(x) return ("%.2f %%"):format(100 * x) end

local Exit = {}
function Exit:__tostring()
  return ("%s: top-1 %s, top-5 %s, loss %.4f"):format(self.name, percent(self.top1), percent(self.top5), self.loss)
end

local Evaluation = {}
function Evaluation:__tostring()
  local lines = {}
  for i, e in ipairs(self.exits) do lines[i] = tostring(e) end
  lines[#lines + 1] = ("vote: top-1 %s, top-5 %s, loss %.4f, %d images")
                      :format(percent(self.top1), percent(self.top5), self.loss, self.count)
  return table.concat(lines, "\n")
end

-- score(net, logits, labels[, b]): the evaluation of logits that are there already.
function evaluate.score(net, logits, labels, b)
  local count, list, loss = labels.shape[1], {}, 0
  for i, e in ipairs(net.exits) do
    local score = ensemble.score(logits:narrow(0, i - 1, 1), labels, { 1 })
    local ce = ensemble.cross_entropy(logits[i], labels)
    list[i] = setmetatable({ name = e.name, top1 = score.top1, top5 = score.top5, loss = ce }, Exit)
    loss = loss + net.loss_weights[i] * ce
  end
  local vote = ensemble.score(logits, labels, b or net.vote_weights)
  return setmetatable({
    top1 = vote.top1, top5 = vote.top5, loss = loss, exits = list, vote = { top1 = vote.top1, top5 = vote.top5 },
    confusion = vote.confusion, predicted = vote.predicted, logits = logits, labels = labels, count = count,
  }, Evaluation)
end

-- ex.evaluate(net, split[, { batch = 128, vote = b }]) -> { top1, top5, loss, exits = { { name, top1, top5, loss } },
-- vote = { top1, top5 }, confusion (K, K; a row is a true class), predicted (N), logits (E, N, K), labels (N), count }.
-- top1 and top5 are the vote's, with the network's own weights unless `vote` gives others; loss is sum_i a_i CE_i.
return setmetatable(evaluate, { __call = function(_, net, split, given)
  local o = options.check("evaluate", given or {}, { batch = BATCH, vote = options.optional })
  local b = ensemble.weights(o.vote or net.vote_weights, #net.exits)
  local logits, labels = evaluate.logits(net, split, o.batch)
  return evaluate.score(net, logits, labels, b)
end })
