-- evaluate against the same numbers worked out in plain Lua.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestEvaluate = {}

local COUNT, CLASSES = 133, 4

local images = nets.normal({ COUNT, 2, 12, 12 }, "images")
local labels = {}
for n = 1, COUNT do labels[n] = (n * 7) % 5 % CLASSES end
local split = nets.split(images, labels)

-- The place of the label among the classes: larger votes, and equal ones of a lower index, come before it.
local function rank(row, label)
  local r = 0
  for k, v in ipairs(row) do
    if v > row[label + 1] or (v == row[label + 1] and k < label + 1) then r = r + 1 end
  end
  return r
end

local function shares(rows)
  local top1, top5 = 0, 0
  for n, row in ipairs(rows) do
    local r = rank(row, labels[n])
    top1, top5 = top1 + (r < 1 and 1 or 0), top5 + (r < 5 and 1 or 0)
  end
  return top1 / COUNT, top5 / COUNT
end

local function cross_entropy(rows)
  local sum = 0
  for n, row in ipairs(rows) do
    local z = 0
    for _, v in ipairs(row) do z = z + math.exp(v) end
    sum = sum + math.log(z) - row[labels[n] + 1]
  end
  return sum / COUNT
end

function TestEvaluate.test_against_plain_lua()
  local net = nets.vgg()
  net.loss_weights, net.vote_weights = { 3 / 6, 2 / 6, 1 / 6 }, { 1 / 6, 2 / 6, 3 / 6 }
  local e = ex.evaluate(net, split, { batch = 32 })
  local _, each = net:forward(images)
  local loss, votes, confusion = 0, {}, {}
  for i = 1, 3 do
    local rows = each[i]:to_list()
    local top1, top5 = shares(rows)
    lu.assertEquals({ e.exits[i].name, e.exits[i].top1, e.exits[i].top5 }, { "exit" .. i, top1, top5 })
    lu.assertAlmostEquals(e.exits[i].loss, cross_entropy(rows), 1e-6)
    lu.assertEquals(e.logits[i]:to_list(), rows)                 -- the batch does not change the bits
    loss = loss + net.loss_weights[i] * e.exits[i].loss
    for n, row in ipairs(rows) do
      votes[n] = votes[n] or { 0, 0, 0, 0 }
      for k, v in ipairs(row) do votes[n][k] = votes[n][k] + net.vote_weights[i] * v end
    end
  end
  for k = 1, CLASSES do confusion[k] = { 0, 0, 0, 0 } end
  for n, row in ipairs(votes) do
    local best = 1
    for k, v in ipairs(row) do if v > row[best] then best = k end end
    confusion[labels[n] + 1][best] = confusion[labels[n] + 1][best] + 1
  end
  local top1, top5 = shares(votes)
  lu.assertEquals({ e.top1, e.top5, e.vote, e.count }, { top1, top5, { top1 = top1, top5 = top5 }, COUNT })
  lu.assertAlmostEquals(e.loss, loss, 1e-12)
  lu.assertEquals(e.confusion:to_list(), confusion)
  lu.assertEquals(e.labels:to_list(), labels)
end

function TestEvaluate.test_any_batch_gives_the_same()
  local net = nets.vgg()
  local a, b = ex.evaluate(net, split, { batch = 7 }), ex.evaluate(net, split)
  nets.same(lu, a.logits, b.logits)
  lu.assertEquals({ a.top1, a.loss }, { b.top1, b.loss })
end

function TestEvaluate.test_other_vote_weights()
  local net = nets.vgg()
  local equal = ex.evaluate(net, split)
  local e = ex.evaluate(net, split, { vote = { .998, .001, .001 } })
  local first = ex.ensemble.score(ex.tensor { e.logits[1]:to_list() }, e.labels)
  lu.assertEquals(e.predicted:to_list(), first.predicted:to_list())
  lu.assertNotEquals(e.predicted:to_list(), equal.predicted:to_list())
end

function TestEvaluate.test_text()
  local lines = {}
  for line in tostring(ex.evaluate(nets.vgg(), split)):gmatch "[^\n]+" do lines[#lines + 1] = line end
  lu.assertEquals(#lines, 4)
  lu.assertStrMatches(lines[1], "exit1: top%-1 %d+%.%d%d %%, top%-5 100%.00 %%, loss %d%.%d%d%d%d")
  lu.assertStrMatches(lines[4], "vote: top%-1 .* 133 images")
end

function TestEvaluate.test_refuses()
  local net = nets.vgg()
  lu.assertEquals(nets.message(ex.evaluate, net, nil), "evaluate: expected a split of a data set, such as data.validation, got nil")
  lu.assertEquals(nets.message(ex.evaluate, net, nets.split(nets.normal({ 2, 1, 28, 28 }, "x"), { 0, 1 })),
                  "evaluate: images are (1, 28, 28), the network takes (2, 12, 12)")
  lu.assertStrContains(nets.message(ex.evaluate, net, split, { bacth = 3 }), "batch")
  lu.assertEquals(nets.message(ex.evaluate, net, split, { vote = { 1 } }), "vote weights: 1 numbers for 3 exits")
end

os.exit(lu.LuaUnit.run())
