-- hyperband.lua: several halvings side by side that differ in how early they begin (Li et al., "Hyperband", JMLR 18, 2018), each an
-- asynchronous one of its own (asha.lua). With R = most / first and s_max = floor(log_reduction R), bracket b = 0 .. s_max has its
-- first rung at first * reduction^b and is given trials in proportion to (s_max + 1) / (s + 1) * reduction^s, s = s_max - b, as many
-- as Hyperband begins there. A trial's bracket is a function of its number alone (multiples of the golden ratio, which keep the
-- proportions at every moment).

local options = require "exeunt.options"
local Asha = require "exeunt.search.stoppers.asha"

local Hyperband = {}
Hyperband.__index = Hyperband

local GOLDEN = (math.sqrt(5) - 1) / 2

-- bracket(number): which bracket trial `number` belongs to, from 0.
function Hyperband:bracket(number)
  local u = (number * GOLDEN) % 1 * self.total
  for b = 0, #self.counts - 2 do
    u = u - self.counts[b + 1]
    if u < 0 then return b end
  end
  return #self.counts - 1
end

-- The trials of a bracket.
local function members(self, trials, bracket)
  local list = {}
  for _, trial in ipairs(trials) do
    if self:bracket(trial.number) == bracket then list[#list + 1] = trial end
  end
  return list
end

function Hyperband:decide(look)
  local bracket = self:bracket(look.trial.number)
  return self.halvings[bracket + 1]:decide { trial = look.trial, trials = members(self, look.trials, bracket), step = look.step,
                                             value = look.value, direction = look.direction }
end

function Hyperband:promote(trials, direction, over)
  for _, trial in ipairs(over and trials or {}) do
    if trial.state == "complete" then return nil end             -- a trial of another bracket need not come to its end
  end
  for bracket, halving in ipairs(self.halvings) do
    local number = halving:promote(members(self, trials, bracket - 1), direction, over)
    if number then return number end
  end
end

function Hyperband:limit(trial) return self.halvings[self:bracket(trial.number) + 1]:limit(trial) end

-- new { most = steps of a whole trial, reduction = 3, first = 1, promote = false }
function Hyperband.new(given)
  local o = options.check("stopper.hyperband", given, { most = options.required, reduction = 3, first = 1, promote = false })
  Asha.check("stopper.hyperband", o)
  local self = setmetatable({ name = "hyperband", options = o, counts = {}, halvings = {}, total = 0 }, Hyperband)
  local highest = math.floor(math.log(o.most / o.first) / math.log(o.reduction) + 1e-9)
  for b = 0, highest do
    local s = highest - b
    self.counts[b + 1] = math.ceil((highest + 1) / (s + 1) * o.reduction ^ s)
    self.total = self.total + self.counts[b + 1]
    self.halvings[b + 1] = setmetatable({ name = "asha", options = { reduction = o.reduction, first = o.first * o.reduction ^ b,
                                                                     most = o.most, promote = o.promote } }, Asha)
  end
  return self
end

return Hyperband
