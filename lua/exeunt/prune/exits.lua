-- prune/exits.lua: scores each of the 2^E - 1 subsets of a network's exits by its vote sum_{i in S} b_i z_i on validation
-- data and keeps the best by [top-1, then top-5] (METHOD: "Prune"). The vote weights b are those of the full network, not
-- scaled anew: argmax does not need it. Ties:
--     "cheapest" (default)  the fewest MACs, then the fewest parameters, then the paper's order
--     "paper"               the first in binary order with exit 1 as the leading bit, so that the last exit alone comes
--                           first, and the first exit alone before any richer subset that holds it
-- Nothing is fine-tuned. The given network is left as it is.

local core = require "exeunt.core"
local cost = require "exeunt.cost"
local ensemble = require "exeunt.ensemble"
local evaluate = require "exeunt.evaluate"
local options = require "exeunt.options"
local plan = require "exeunt.plan"
local tables = require "exeunt.report.table"
local C, ffi = core.C, core.ffi

local prune = {}

local MOST = 16                            -- exits: 65,535 subsets

local Subset = {}
function Subset:__tostring()
  local text = ("exits %s: top-1 %.2f %%, top-5 %.2f %%"):format(table.concat(self.exits, ", "), 100 * self.val_top1, 100 * self.val_top5)
  if not self.macs then return text end
  return ("%s, %d parameters, %d MACs"):format(text, self.params, self.macs)
end

-- order(E): the subsets of exits 1..E as lists, in the paper's order: binary numbers from 1 on, exit 1 the leading bit.
function prune.order(count)
  local all = {}
  for number = 1, 2 ^ count - 1 do
    local list = {}
    for i = 1, count do
      if math.floor(number / 2 ^ (count - i)) % 2 == 1 then list[#list + 1] = i end
    end
    all[number] = list
  end
  return all
end

-- The place of a subset in what ex_subset_scores fills: bit i of (place + 1) is exit i + 1.
local function place(exits)
  local bits = 0
  for _, e in ipairs(exits) do bits = bits + 2 ^ (e - 1) end
  return bits - 1
end

-- subsets(logits, labels, b): logits (E, N, K), labels (N) -> { { exits, val_top1, val_top5 }, ... } in the paper's order.
function prune.subsets(logits, labels, b)
  local count = ensemble.check(logits, labels)
  if count > MOST then core.raise("prune.exits: %d exits have too many subsets (at most %d exits)", count, MOST) end
  local scores, list = ffi.new("ex_score[?]", 2 ^ count - 1), {}
  core.check(C.ex_subset_scores(scores, logits.handle, labels.handle, ensemble.numbers(b), plan.team()))
  for i, exits in ipairs(prune.order(count)) do
    local score = scores[place(exits)]
    list[i] = setmetatable({ exits = exits, val_top1 = score.top1, val_top5 = score.top5 }, Subset)
  end
  return list
end

local function better(a, b, tie)
  if a.val_top1 ~= b.val_top1 then return a.val_top1 > b.val_top1 end
  if a.val_top5 ~= b.val_top5 then return a.val_top5 > b.val_top5 end
  if tie == "paper" then return false end
  if a.macs ~= b.macs then return a.macs < b.macs end
  return a.params < b.params
end

-- choose(subsets, tie): the best subset by the rule; subsets come in the paper's order.
function prune.choose(subsets, tie)
  local best = subsets[1]
  for i = 2, #subsets do
    if better(subsets[i], best, tie) then best = subsets[i] end
  end
  return best
end

prune.rules = {
  cheapest = "ties go to the subset with the fewest MACs, then the fewest parameters, then the paper's order",
  paper = "ties go to the first subset in binary order with exit 1 as the leading bit (the paper's rule)",
}

local function percent(x) return ("%.2f %%"):format(100 * x) end

local COLUMNS = { "exits", { title = "top-1", format = percent }, { title = "top-5", format = percent },
                  { title = "parameters", format = tables.count }, { title = "MACs", format = tables.count }, "" }

local Result = {}
function Result:__tostring()
  local rows = {}
  for i, s in ipairs(self.subsets) do
    local exits = {}
    for k, at in ipairs(s.exits) do exits[k] = self.numbers[at] end
    rows[i] = { table.concat(exits, ", "), s.val_top1, s.val_top5, s.params, s.macs, s == self.chosen and "kept" or "" }
  end
  return tables.render(COLUMNS, rows) .. "by the vote on validation data; " .. prune.rules[self.tie]
end

-- The validation logits and labels: those given, or those of a pass over the split.
local function scored(net, source)
  if type(source) == "table" and source.logits and source.labels then
    if source.logits.shape[1] ~= #net.exits then
      core.raise("prune.exits: logits of %d exits for a network with %d", source.logits.shape[1], #net.exits)
    end
    return source.logits, source.labels
  end
  return evaluate.logits(net, source, nil, "prune.exits")
end

-- ex.prune.exits(net, split or { logits (E, N, K), labels (N) }[, { tie = "cheapest" or "paper", vote = b }]) ->
-- { subsets = { { exits, val_top1, val_top5, params, macs }, ... in the paper's order }, chosen = one of them, tie, rule,
-- network = the chosen exits cut out as a network of their own, numbers = what each exit of net is called }. A subset's
-- exits are positions in net, as net:keep takes them.
return setmetatable(prune, { __call = function(_, net, source, given)
  local o = options.check("prune.exits", given or {}, { tie = "cheapest", vote = options.optional })
  if not prune.rules[o.tie] then core.raise('prune.exits: tie must be "cheapest" or "paper", got %s', tostring(o.tie)) end
  local b = ensemble.weights(o.vote or net.vote_weights, #net.exits)
  local logits, labels = scored(net, source)
  local subsets = prune.subsets(logits, labels, b)
  for _, s in ipairs(subsets) do
    local c = cost.of(net, s.exits)
    s.params, s.macs = c.params, c.macs
  end
  local chosen = prune.choose(subsets, o.tie)
  local cut = net:keep(chosen.exits)
  if o.vote then
    local kept = {}
    for i, e in ipairs(chosen.exits) do kept[i] = b[e] end
    cut.vote_weights = require("exeunt.weighting").rescaled(kept)
  end
  return setmetatable({ subsets = subsets, chosen = chosen, tie = o.tie, rule = prune.rules[o.tie], network = cut,
                        numbers = net:exit_numbers() }, Result)
end })
