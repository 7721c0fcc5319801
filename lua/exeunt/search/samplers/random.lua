-- random.lua: each knob drawn by itself from its distribution, from a stream of its own (seed, name, number): a knob that is
-- added or taken away leaves the others' values as they were. It looks at no trials, and may draw a point of a finite space twice.

local options = require "exeunt.options"
local Stream = require "exeunt.search.stream"

local Random = {}
Random.__index = Random

-- draw(space, seed, number): a point.
function Random.draw(space, seed, number)
  return space:make(function(name, dist) return dist:from_unit(Stream.new(seed, "search/" .. name, number):uniform()) end)
end

function Random:suggest(ask) return Random.draw(ask.space, ask.seed, ask.number) end   -- luacheck: no self

-- new(): no options.
function Random.new(given)
  return setmetatable({ name = "random", options = options.check("sampler.random", given, {}), independent = true }, Random)
end

return Random
