-- grid.lua: every point of the space once, in order: the first knob (parents before children, else by the alphabet) slowest;
-- then the space is used up. A continuous knob has `points` values, both ends among them, spread evenly (a logarithmic one
-- in its logarithm). It looks at no trials, and refuses a continuous knob without `points`.

local core = require "exeunt.core"
local options = require "exeunt.options"

local Grid = {}
Grid.__index = Grid

-- How many values a knob has, and value i of them.
local function levels(self)
  local points = self.options.points
  local function wanted(name) return type(points) == "table" and points[name] or type(points) == "number" and points or nil end
  local function count(name, dist)
    local n = dist:cells()
    if n ~= math.huge then return n end
    return wanted(name) or core.raise("sampler.grid: %s is continuous: say how many of its values, points = { %s = 5 }", name, name)
  end
  local function at(name, dist, i)
    if dist:cells() ~= math.huge then return dist:at(i) end
    local n = wanted(name)
    return dist:from_unit(n == 1 and 0.5 or i / (n - 1))
  end
  return count, at
end

-- size(space): how many points the grid has.
function Grid:size(space) return space:count(levels(self)) end

function Grid:suggest(ask)
  for name in pairs(type(self.options.points) == "table" and self.options.points or {}) do
    if not ask.space.dists[name] then
      core.raise("sampler.grid: points: no knob '%s'%s", name, options.suggest(name, ask.space.names))
    end
  end
  local count, at = levels(self)
  if ask.number >= ask.space:count(count, at) then return nil end
  return ask.space:point(ask.number, count, at)
end

-- new { points = a number for every continuous knob, or { knob = number } }
function Grid.new(given)
  local o = options.check("sampler.grid", given, { points = options.optional })
  for _, n in pairs(type(o.points) == "table" and o.points or { o.points }) do
    if type(n) ~= "number" or n ~= math.floor(n) or n < 1 then
      core.raise("sampler.grid: points must be whole numbers from 1 on, got %s", options.shown(n))
    end
  end
  return setmetatable({ name = "grid", options = o, independent = true }, Grid)
end

return Grid
