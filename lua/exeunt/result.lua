-- result.lua: what a recipe gives back: `ex.result { train = fit, net =, pruned =, baseline =, test = }`, or many of them as
-- `ex.result { cells = {...} }`, or `ex.result { report = x }`, where x:document() is a table that becomes part of the run's
-- document and x:text() what a person reads; or a plain table of numbers, `return { accuracy = 0.9 }`, which becomes the
-- document's "values". Making one scores what it was given on the test split, counts costs and measures latency;
-- document() is the form that --json prints and run.json holds. It trains and prunes nothing.

local core = require "exeunt.core"
local cost = require "exeunt.cost"
local evaluate = require "exeunt.evaluate"
local fit = require "exeunt.train.fit"
local json = require "exeunt.report.json"
local options = require "exeunt.options"
local outcome = require "exeunt.report.outcome"

local Result = {}
Result.__index = Result

local result = {}

-- Keys of a document in the order in which a person reads them.
result.order = {
  "recipe", "label", "name", "seed", "knobs", "run_dir", "values", "infinite", "train", "exits", "vote", "baseline", "subsets", "full",
  "pruned", "note", "cells",
  "environment", "epochs", "seconds", "images_per_s", "val_top1", "val_top5", "test_top1", "params", "macs", "latency_ms",
}

local function or_null(x)
  if x == nil then return json.null end
  return x
end

-- { params, macs, latency_ms } of a network, with the spread of its latency (cost.latency) beside the median.
local function costs(net, measured)
  local counted = cost.of(net)
  return { params = counted.params, macs = counted.macs, latency_ms = measured.median_ms,
           latency_quartiles_ms = json.list { measured.q1_ms, measured.q3_ms } }
end

local function numbers(net) return json.list(net:exit_numbers()) end

local function network_entry(net, test, measured)
  local entry = costs(net, measured)
  entry.exits = numbers(net)
  entry.test_top1 = test and evaluate(net, test).top1 or json.null
  return entry
end

local function exits_entry(net, best, score)
  local list = json.list()
  for i, e in ipairs(net.exits) do
    local known = best and best.exits[i]
    list[i] = { name = e.name, val_top1 = or_null(known and known.val_top1),
                test_top1 = score and score.exits[i].top1 or json.null }
  end
  return list
end

local function network_of(given) return fit.is(given) and given.net or given end

local function baseline_entry(given, test, measured)
  local net = network_of(given)
  local entry = costs(net, measured)
  entry.val_top1 = or_null(fit.is(given) and given.best and given.best.vote.val_top1)
  entry.test_top1 = test and evaluate(net, test).top1 or json.null
  return entry
end

-- A subset's exits are positions in the network that was scored; here they get their numbers.
local function subset_entries(pruned)
  local list = json.list()
  for i, s in ipairs(pruned and pruned.subsets or {}) do
    local exits = json.list()
    for k, at in ipairs(s.exits) do exits[k] = pruned.numbers[at] end
    list[i] = { exits = exits, val_top1 = s.val_top1, val_top5 = s.val_top5,
                params = s.params, macs = s.macs }
  end
  return list
end

-- The cut network, with the validation score of the subset of exits that it keeps.
local function pruned_entry(given, test, measured)
  local entry = network_entry(given.network, test, measured)
  entry.val_top1 = or_null(given.chosen and given.chosen.val_top1)
  return entry
end

local function single(o)
  local net = o.net or o.train.net
  local score = o.test and evaluate(net, o.test)
  local best = net == o.train.net and o.train.best or nil
  local baseline, pruned = o.baseline and network_of(o.baseline), o.pruned and o.pruned.network
  local nets = { net }
  if baseline then nets[#nets + 1] = baseline end
  if pruned then nets[#nets + 1] = pruned end
  local measured = cost.latencies(nets)                        -- side by side: the table compares them
  local full = costs(net, measured[1])
  full.exits, full.test_top1 = numbers(net), score and score.top1 or json.null
  return {
    label = o.label, seed = o.seed, train = o.train:document(), exits = exits_entry(net, best, score),
    vote = { val_top1 = or_null(best and best.vote.val_top1), test_top1 = score and score.top1 or json.null },
    baseline = baseline and baseline_entry(o.baseline, o.test, measured[2]) or json.null,
    subsets = subset_entries(o.pruned), full = full,
    pruned = pruned and pruned_entry(o.pruned, o.test, measured[#nets]) or json.null,
    note = o.note,
  }
end

-- result{ train = a fit (required), net = network (the fit's), pruned = of prune.exits, baseline = a fit or a network,
--         test = a split, label = text and seed = number (of a cell), note = text: the report's last line },
-- result{ cells = list of results } or result{ report = x }
function result.new(given)
  local o = options.check("result", given, {
    train = options.optional, net = options.optional, pruned = options.optional, baseline = options.optional,
    test = options.optional, label = options.optional, seed = options.optional, cells = options.optional, report = options.optional,
    note = options.optional,
  })
  if o.note and type(o.note) ~= "string" then core.raise("result: note must be a text, got a %s", type(o.note)) end
  local self = setmetatable({ test_count = o.test and o.test.count }, Result)
  if o.cells then
    self.cells = o.cells
    for i, cell in ipairs(o.cells) do
      if not result.is(cell) then core.raise("result: cells[%d] must come from ex.result, got %s", i, type(cell)) end
    end
  elseif o.report then
    self.report = o.report
  elseif not fit.is(o.train) then
    core.raise("result: train must be what ex.train gave, got %s", tostring(o.train))
  else
    if o.pruned and not (o.pruned.network and o.pruned.subsets and o.pruned.numbers) then
      core.raise("result: pruned must be what ex.prune.exits gave")
    end
    self.body = single(o)
  end
  return self
end

function result.is(x)
  return getmetatable(x) == Result
end

-- Numbers, and tables of such, under names or in lists; how many there are.
local function count_numbers(x, where, seen)
  if type(x) == "number" then return 1 end
  if type(x) ~= "table" or getmetatable(x) or seen[x] then
    core.raise("%s must be a number or a table of numbers, got a %s", where, seen[x] and "table that holds itself" or type(x))
  end
  seen[x] = true
  local n = 0
  for key, value in pairs(x) do n = n + count_numbers(value, ("%s.%s"):format(where, tostring(key)), seen) end
  seen[x] = nil
  return n
end

-- plain(values): the result of a recipe that returns a plain table of numbers in place of ex.result.
function result.plain(values)
  if count_numbers(values, "run: what it returned", {}) == 0 then core.raise "run returned a table without a number in it" end
  return setmetatable({ values = values }, Result)
end

-- The paths of infinite numbers in a table, as JSON has null for them: { ["a.loss"] = "-inf" }; nil where there are none.
local function infinite(t, prefix, found)
  for name, x in pairs(t) do
    if type(x) == "table" then infinite(x, prefix .. name .. ".", found)
    elseif x == math.huge or x == -math.huge then found[prefix .. name] = x > 0 and "inf" or "-inf" end
  end
  return next(found) and found
end

-- document(run): the whole document; run = { recipe, seed, knobs, run_dir } goes into it and into each cell that does not
-- say otherwise.
function Result:document(run)
  local doc = {}
  for k, v in pairs(run or {}) do doc[k] = v end
  for k, v in pairs(self.body or self.report and self.report:document() or {}) do doc[k] = v end
  if self.values then doc.values, doc.infinite = self.values, infinite(self.values, "", {}) end
  if self.cells then
    doc.cells = json.list()
    for i, cell in ipairs(self.cells) do doc.cells[i] = cell:document(run) end
  end
  return doc
end

-- text(): in words and tables.
function Result:text()
  if self.report then return self.report:text() end
  if self.values then return json.encode(self.values) .. "\n" end
  return outcome.text(self:document {}, self.test_count)
end
Result.__tostring = Result.text

return setmetatable(result, { __call = function(_, given) return result.new(given) end })
