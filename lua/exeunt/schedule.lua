-- schedule.lua: learning-rate schedules. A schedule is a function(step, steps, epoch) -> the factor that multiplies the
-- learning rate; step counts from 0, steps is the whole training's, epoch counts from 1. It keeps no state, so a resumed
-- training finds the same factors; it knows no optimiser.
--     constant()      1
--     step{ every, gamma }          gamma ^ floor((epoch - 1) / every)                              (StepLR)
--     cosine{ floor }               floor + (1 - floor) (1 + cos(pi step / steps)) / 2               (CosineAnnealingLR)
--     one_cycle{ rise, start, finish }   start -> 1 over the first `rise` of the steps, 1 -> finish, both along a cosine
--                                   (Smith and Topin 2018; the numbers of torch's OneCycleLR)
--     warmup{ steps | share, from, after }   from -> 1 in a straight line, then `after` from its own beginning

local core = require "exeunt.core"
local options = require "exeunt.options"

local schedule = {}

local function between(where, name, value, low, high)
  if type(value) ~= "number" or not (value >= low and value <= high) then
    core.raise("%s: %s must be a number from %g to %g, got %s", where, name, low, high, tostring(value))
  end
end

function schedule.constant()
  return function() return 1 end
end

function schedule.step(given)
  local o = options.check("schedule.step", given, { every = options.required, gamma = 0.1 })
  between("schedule.step", "every", o.every, 1, 1e9)
  return function(_, _, epoch) return o.gamma ^ math.floor((epoch - 1) / o.every) end
end

-- Half a cosine from `a` (share 0) to `b` (share 1).
local function along(a, b, share)
  return b + (a - b) / 2 * (1 + math.cos(math.pi * share))
end

function schedule.cosine(given)
  local o = options.check("schedule.cosine", given or {}, { floor = 0 })
  between("schedule.cosine", "floor", o.floor, 0, 1)
  return function(step, steps) return along(1, o.floor, step / steps) end
end

function schedule.one_cycle(given)
  local o = options.check("schedule.one_cycle", given or {}, { rise = 0.3, start = 1 / 25, finish = 1 / 25e4 })
  between("schedule.one_cycle", "rise", o.rise, 0, 1)
  return function(step, steps)
    local peak, last = o.rise * steps - 1, steps - 1
    if step <= peak and peak > 0 then return along(o.start, 1, step / peak) end
    peak = math.max(peak, 0)
    if last <= peak then return 1 end                    -- too few steps to fall
    return along(1, o.finish, (step - peak) / (last - peak))
  end
end

function schedule.warmup(given)
  local o = options.check("schedule.warmup", given, { steps = options.optional, share = options.optional, from = 1 / 3,
                                                      after = schedule.constant() })
  if (o.steps == nil) == (o.share == nil) then
    core.raise("schedule.warmup: give either steps (a count) or share (of all steps, 0 to 1)")
  end
  local after = schedule.of(o.after)
  if o.share then between("schedule.warmup", "share", o.share, 0, 1) else between("schedule.warmup", "steps", o.steps, 1, 1e9) end
  return function(step, steps, epoch)
    local warm = o.steps or math.floor(o.share * steps)
    if step < warm then return (o.from + (1 - o.from) * step / warm) * after(0, math.max(steps - warm, 1), 1) end
    return after(step - warm, math.max(steps - warm, 1), epoch)
  end
end

-- of(x): the schedule itself, or the one of that name with its defaults.
function schedule.of(x)
  if x == nil then return schedule.constant() end
  if type(x) == "function" then return x end
  if x == "constant" or x == "cosine" or x == "one_cycle" then return schedule[x]() end
  core.raise("schedule must be a function(step, steps, epoch), or \"constant\", \"cosine\" or \"one_cycle\"; got %s", tostring(x))
end

return schedule
