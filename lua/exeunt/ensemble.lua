-- ensemble.lua: the weighted vote of exits, y = argmax sum_i b_i z_i over raw logits z (no softmax), as the paper's code
-- does. A label's rank is the number of classes with a larger vote, or an equal one and a lower index; top-k counts
-- ranks below k. It runs no network: logits come from evaluate or from a script.

local core = require "exeunt.core"
local tensor = require "exeunt.tensor"
local weighting = require "exeunt.weighting"
local C, ffi = core.C, core.ffi

local ensemble = {}

-- numbers(b): a double array.
function ensemble.numbers(b)
  return ffi.new("double[?]", #b, b)
end

-- weights(b, E): b checked, or equal weights where it is nil.
function ensemble.weights(b, n)
  if b == nil then return weighting.equal(n) end
  return weighting.check(b, n, "vote weights")
end

-- check(logits, labels): E, N, K, or an error unless logits are (E, N, K) and labels (N).
function ensemble.check(logits, labels)
  local z, y = logits.shape, labels.shape
  if #z ~= 3 then core.raise("vote: logits must be (exits, samples, classes), got %d axes", #z) end
  if #y ~= 1 or y[1] ~= z[2] then core.raise("vote: %d labels for %d samples", y[1] or 1, z[2]) end
  if z[2] == 0 then core.raise("vote: there are no samples") end
  return z[1], z[2], z[3]
end

-- score(logits, labels[, b]): logits (E, N, K), labels (N) int32 -> { top1, top5, predicted (N), confusion (K, K) }; a row
-- of the confusion counts the predictions for one true class.
function ensemble.score(logits, labels, b)
  local exits, samples, classes = ensemble.check(logits, labels)
  local out = ffi.new "ex_score"
  local predicted, confusion = tensor.zeros({ samples }, "int32"), tensor.zeros({ classes, classes }, "int32")
  core.check(C.ex_vote_score(out, predicted.handle, confusion.handle, logits.handle, labels.handle,
                             ensemble.numbers(ensemble.weights(b, exits))))
  return { top1 = out.top1, top5 = out.top5, predicted = predicted, confusion = confusion }
end

-- vote(logits[, b]): the votes (N, K) of logits (E, N, K).
function ensemble.vote(logits, b)
  if #logits.shape ~= 3 then core.raise("vote: logits must be (exits, samples, classes), got %d axes", #logits.shape) end
  b = ensemble.weights(b, logits.shape[1])
  local sum
  for i, w in ipairs(b) do
    local part = logits[i] * w
    sum = sum and sum + part or part
  end
  return sum
end

-- cross_entropy(logits, labels): the mean over the samples of logits (N, K), in double.
function ensemble.cross_entropy(logits, labels)
  local out = ffi.new "double[1]"
  core.check(C.ex_mean_cross_entropy(out, logits.handle, labels.handle))
  return out[0]
end

return ensemble
