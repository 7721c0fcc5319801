-- check.lua: the options that optimisers share, checked: numbers in their range, groups well formed.

local core = require "exeunt.core"
local options = require "exeunt.options"

local check = {}

-- number(where, name, x, low, high): x if it is a number of [low, high].
function check.number(where, name, x, low, high)
  if type(x) ~= "number" or not (x >= low and x <= high) then
    core.raise("%s: %s must be a number from %g to %g, got %s", where, name, low, high, tostring(x))
  end
  return x
end

-- common(where, o): lr, weight_decay, clip (the largest norm of all gradients together) and groups of a filled table of options.
function check.common(where, o)
  check.number(where, "lr", o.lr, 0, math.huge)
  check.number(where, "weight_decay", o.weight_decay, 0, math.huge)
  if o.clip then check.number(where, "clip", o.clip, 0, math.huge) end
  for i, group in ipairs(o.groups) do
    local at = ("%s: groups[%d]"):format(where, i)
    if type(group) ~= "table" or type(group[1]) ~= "string" then
      core.raise("%s must be { \"pattern\", lr = ..., weight_decay = ... }", at)
    end
    local named = {}
    for k, v in pairs(group) do if k ~= 1 then named[k] = v end end
    named = options.check(at, named, { lr = options.optional, weight_decay = options.optional })
    if named.lr then check.number(at, "lr", named.lr, 0, math.huge) end
    if named.weight_decay then check.number(at, "weight_decay", named.weight_decay, 0, math.huge) end
  end
  return o
end

return check
