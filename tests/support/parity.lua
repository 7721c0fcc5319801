-- parity.lua: networks of ex.models beside torchvision's (tests/golden/models.py, which says what its files hold): the same
-- numbers put in, the logits, and the loss, gradients and running statistics of one step.

local lu = require "luaunit"
local golden = require "golden"
local ex = require "exeunt"
local Plan = require "exeunt.plan"

local parity = {}

local SEED, CLASSES = 5, 10

-- An error of a gradient or statistic may be this many times that of PyTorch in float32, plus this share of the largest.
local TIMES, SHARE = 3, 1e-5

-- network(case[, options]): the network of a case with its exits, nothing in it random.
function parity.network(case, given)
  local o = { input = { 3, case.side, case.side }, classes = CLASSES, seed = 1 }
  for key, value in pairs(given or {}) do o[key] = value end
  return ex.exits.anticipate(ex.models[case.name](o))
end

local function leaves(net)
  local list = {}
  for _, v in ipairs(net.graph:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then list[#list + 1] = v end
  end
  return list
end

-- draw(net): each parameter and buffer by models.py's rule.
function parity.draw(net)
  for _, v in ipairs(leaves(net)) do
    local low, high = -0.25, 0.25
    if #v.shape > 1 then
      high = math.sqrt(6 / (v.shape[2] * (v.shape[3] or 1) * (v.shape[4] or 1)))
      low = -high
    elseif v.name:find "running_var$" or v.name:find "%.weight$" then
      low, high = 0.5, 1.5
    end
    net.graph:tensor(v):uniform_(low, high, { seed = SEED, stream = v.name })
  end
end

-- images(case): x (N, 3, H, W) and y (N), as drawn there.
function parity.images(case)
  local labels = {}
  for i = 1, case.count do labels[i] = (i - 1) * 7 % CLASSES end
  local shape = { case.count, 3, case.side, case.side }
  return ex.tensor.zeros(shape):uniform_(-2, 2, { seed = SEED, stream = "x" }), ex.tensor(labels, "int32")
end

-- The training form with its loss: graph, loss, parameters, their gradients.
local function derived(net)
  local g = net.graph:training()
  local y, a, losses = g:input("labels", { -1 }, "int32"), g:input("loss_weights", { #net.exits }, "float32"), {}
  for i, e in ipairs(net.exits) do losses[i] = g:node("loss." .. e.name, "softmax_cross_entropy", { g:find(e.logits), y }) end
  local loss, params = g:node("loss", "weighted_sum", { a, unpack(losses) }), {}
  for _, v in ipairs(g:values()) do if v.kind == "parameter" then params[#params + 1] = v end end
  return g, loss, params, g:gradient(loss, params)
end

-- step(net, x, y): the loss, and a table of gradients and running statistics by name, after one step without an update.
function parity.step(net, x, y)
  local g, loss, params, grads = derived(net)
  local n, count, a = x.shape[1], #net.exits, {}
  for i = 1, count do a[i] = (count + 1 - i) / (count * (count + 1) / 2) end
  local plan = Plan.new(g, { outputs = { loss, unpack(grads) }, guards = { loss }, batch = n, training = true })
  plan:bind("input", x)
  plan:bind("labels", y)
  plan:bind("loss_weights", ex.tensor(a))
  plan:run(n, 1, 1)
  local result = {}
  for i, p in ipairs(params) do result[p.name] = plan:output(i + 1, nil, n) end
  for _, v in ipairs(leaves(net)) do if v.kind == "buffer" then result[v.name] = net.graph:tensor(v):clone() end end
  local value = plan:output(1):item()
  plan:free()
  return value, result
end

-- names(result): sorted, as the summary's rows are.
function parity.names(result)
  local list = {}
  for name in pairs(result) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- The largest |g| of all gradients, from the summary's rows; a statistic counts by itself.
local function largest(names, rows)
  local most = 0
  for i, name in ipairs(names) do
    if not name:find "running_" then most = math.max(most, rows[i][1]) end
  end
  return most
end

-- allowed(names, rows): for each tensor how far an element may be from float64's.
function parity.allowed(names, rows)
  local most, list = largest(names, rows), {}
  for i, name in ipairs(names) do
    local scale = name:find "running_" and rows[i][1] or most
    list[i] = TIMES * rows[i][3] + SHARE * scale
  end
  return list
end

-- forward(net, case, get): the logits in inference form.
function parity.forward(net, case, get)
  local x = parity.images(case)
  local _, each = net:forward(x)
  for i, e in ipairs(net.exits) do
    golden.check(case.name .. "." .. e.name, each[i], get(("%s.%s"):format(case.name, e.name)), 1e-4)
  end
end

function parity.loss(case, get, loss)
  local expected = get(case.name .. ".loss"):item()
  lu.assertTrue(math.abs(loss - expected) <= 1e-5 * math.abs(expected), ("%s: loss %.9g, expected %.9g"):format(case.name, loss, expected))
end

-- summary(case, get, result): what models.py keeps of each tensor.
function parity.summary(case, get, result)
  local names, rows = parity.names(result), get(case.name .. ".step"):to_list()
  lu.assertEquals(#names, #rows)
  local allowed = parity.allowed(names, rows)
  for i, name in ipairs(names) do
    local row, flat = rows[i], result[name]:reshape { -1 }
    local count = flat.shape[1]
    local function check(what, value, expected, margin)
      if not (math.abs(value - expected) <= margin) then
        lu.fail(("%s: %s: %s is %.7g, expected %.7g, allowed %.2g"):format(case.name, name, what, value, expected, margin))
      end
    end
    local probes = #row - 3
    for k = 0, probes - 1 do
      local place = math.floor(count * (2 * k + 1) / (2 * probes))
      check(("element %d"):format(place), flat[place + 1], row[4 + k], allowed[i])
    end
    check("the largest", flat:abs():max(), row[1], allowed[i])
    check("the length", math.sqrt((flat * flat):sum()), row[2], allowed[i] * math.sqrt(count) + 1e-5 * row[2])
  end
end

return parity
