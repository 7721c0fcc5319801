-- space.lua: what a search may choose: named knobs, each with a distribution, some only under another's value.
--
--   Space.new { lr = space.log(1e-4, 1e-1), model = space.choice { "vgg", "resnet" },
--               depth = space.only(space.int(2, 5), { model = "resnet" }) }
--
-- A distribution maps the unit interval to values and back: reals by a line (in logarithms with `log`), whole numbers and
-- steps by equal cells, choices by index. It refuses: an empty space, low >= high, log of what is not positive, a step
-- with log, conditions on unknown or continuous knobs or on values that those cannot have, conditions in a circle.
-- It knows nothing of trials: samplers choose.

local core = require "exeunt.core"
local options = require "exeunt.options"
local json = require "exeunt.report.json"
local knobs = require "exeunt.knobs"

local Dist = {}
Dist.__index = Dist
local Space = {}
Space.__index = Space

-- -- Distributions -----------------------------------------------------------------------------------------------

local function finite(x) return type(x) == "number" and x == x and math.abs(x) < math.huge end

local function range(what, low, high)
  if not finite(low) or not finite(high) then
    core.raise("%s: expected two numbers, got %s and %s", what, options.shown(low), options.shown(high))
  end
  if low >= high then core.raise("%s: low must be below high, got %g and %g", what, low, high) end
end

local function stepped(what, step, low, high)
  if step == nil then return end
  if not finite(step) or step <= 0 or step > high - low then
    core.raise("%s: step must be above 0 and at most high - low (%g), got %s", what, high - low, options.shown(step))
  end
end

-- uniform(low, high[, { step = }]): a real number from low to high; with a step low, low + step, ... up to high.
function Space.uniform(low, high, given)
  local o = options.check("uniform", given, { step = options.optional })
  range("uniform", low, high)
  stepped("uniform", o.step, low, high)
  return setmetatable({ kind = "real", low = low, high = high, step = o.step }, Dist)
end

-- log(low, high): a positive real number, uniform in its logarithm.
function Space.log(low, high)
  range("log", low, high)
  if low <= 0 then core.raise("log: low must be above 0, got %g", low) end
  return setmetatable({ kind = "real", low = low, high = high, log = true }, Dist)
end

-- int(low, high[, { log = true, step = }]): a whole number, both ends included.
function Space.int(low, high, given)
  local o = options.check("int", given, { log = false, step = options.optional })
  range("int", low, high)
  for _, x in ipairs { low, high, o.step } do
    if x ~= math.floor(x) or math.abs(x) > 2 ^ 53 then core.raise("int: expected whole numbers, got %g", x) end
  end
  stepped("int", o.step, low, high)
  if o.log and low <= 0 then core.raise("int: with log, low must be above 0, got %g", low) end
  if o.log and o.step then core.raise("int: a step and log do not go together") end
  return setmetatable({ kind = "int", low = low, high = high, log = o.log or nil, step = o.step }, Dist)
end

-- choice { value, ... }: one of several numbers, strings, booleans or lists.
function Space.choice(values)
  if type(values) ~= "table" or #values == 0 then core.raise("choice: expected a list of values") end
  local copy = {}
  for i, value in ipairs(values) do
    local kind = type(value)
    if kind ~= "number" and kind ~= "string" and kind ~= "boolean" and kind ~= "table" then
      core.raise("choice: value %d must be a number, a string, a boolean or a list, got %s", i,
                 kind == "userdata" and "nothing (null)" or "a " .. kind)
    end
    json.checked(value, "choice: value " .. i)
    for j = 1, i - 1 do
      if knobs.same(value, copy[j]) then core.raise("choice: values %d and %d are the same", j, i) end
    end
    copy[i] = value
  end
  return setmetatable({ kind = "choice", values = copy }, Dist)
end

-- only(dist, { knob = value or {values} }): the same, existing only where each knob named has that value or one of those.
function Space.only(dist, conditions)
  dist = Space.dist(dist, "only")
  if type(conditions) ~= "table" or next(conditions) == nil then
    core.raise "only: expected { knob = value or list of values }"
  end
  local copy = {}
  for k, v in pairs(dist) do copy[k] = v end
  copy.only = {}
  for knob, wanted in pairs(conditions) do
    if type(knob) ~= "string" then core.raise("only: conditions are named (knob = value), got the key %s", tostring(knob)) end
    copy.only[knob] = wanted
  end
  return setmetatable(copy, Dist)
end

local written = { "int", "choice", "uniform", "log" }       -- int first: it may have log = true beside it

-- What other tools call them.
local elsewhere = { loguniform = "log", log_uniform = "log", categorical = "choice", float = "uniform", integer = "int", randint = "int" }

-- Raises what is wrong with a distribution without a known name.
local function unknown_dist(where, x)
  for _, key in ipairs(options.sorted_keys(x)) do
    if key ~= "only" and key ~= "step" then
      local near = options.suggest(elsewhere[key] or key, { "choice", "int", "log", "uniform" })
      core.raise("%s: there is no distribution '%s'%s", where, key, near)
    end
  end
  core.raise("%s: expected one of choice, int, log and uniform with its list of values, as { log = { 1e-4, 1e-1 } }", where)
end

-- dist(x[, where]): x if it is a distribution; or what a YAML file says in its place: { log = {1e-4, 1e-1} },
-- { int = {32, 256}, step = 32 }, { choice = {...}, only = {...} }.
function Space.dist(x, where)
  where = where or "space"
  if getmetatable(x) == Dist then return x end
  if type(x) ~= "table" then
    core.raise("%s: expected a distribution, as ex.log(1e-4, 1e-1) or in YAML { log: [1e-4, 1e-1] }, got %s", where, options.shown(x))
  end
  local name
  for _, each in ipairs(written) do name = name or x[each] ~= nil and each or nil end
  if not name then unknown_dist(where, x) end
  local values, rest = x[name], {}
  for key, value in pairs(x) do
    if key ~= name and key ~= "only" then rest[key] = value end
  end
  if type(values) ~= "table" then core.raise("%s: %s: expected a list, got %s", where, name, options.shown(values)) end
  local dist
  if name == "choice" or name == "log" then options.check(where .. ": " .. name, rest, {}) end
  local ok
  if name == "choice" then
    ok, dist = pcall(Space.choice, values)
  else
    if #values ~= 2 then core.raise("%s: %s: expected [low, high], got %d values", where, name, #values) end
    ok, dist = pcall(Space[name], values[1], values[2], rest)
  end
  if not ok then core.raise("%s: %s", where, dist) end
  return x.only and Space.only(dist, x.only) or dist
end

-- cells(): how many values there are; math.huge for a continuous one.
function Dist:cells()
  if self.kind == "choice" then return #self.values end
  if self.kind == "real" and not self.step then return math.huge end
  return math.floor((self.high - self.low) / (self.step or 1) + 1e-9) + 1
end

-- at(i): value i of 0 .. cells() - 1.
function Dist:at(i)
  if self.kind == "choice" then return self.values[i + 1] end
  return math.min(self.low + i * (self.step or 1), self.high)
end

-- What the unit interval is spread over: the ends of the line, in logarithms where it is logarithmic.
local function ends(dist)
  local half = dist.kind == "int" and 0.5 or 0
  if dist.log then return math.log(dist.low - half), math.log(dist.high + half) end
  return dist.low, dist.high
end

-- from_unit(u): the value at u in [0, 1).
function Dist:from_unit(u)
  u = math.max(0, math.min(u, 1))
  if self.log or self.kind == "real" and not self.step then
    if u == 0 or u == 1 then return u == 0 and self.low or self.high end
    local a, b = ends(self)
    local x = a + u * (b - a)
    if self.log then x = math.exp(x) end
    if self.kind == "int" then x = math.floor(x + 0.5) end
    return math.max(self.low, math.min(x, self.high))
  end
  local n = self:cells()
  return self:at(math.min(math.floor(u * n), n - 1))
end

-- index(value): its cell, from 0, or nil where the distribution does not have it.
function Dist:index(value)
  if self.kind == "choice" then
    for i, x in ipairs(self.values) do
      if knobs.same(x, value) then return i - 1 end
    end
    return nil
  end
  if not finite(value) or value < self.low or value > self.high then return nil end
  local i = (value - self.low) / (self.step or 1)
  local nearest = math.floor(i + 0.5)
  return math.abs(i - nearest) < 1e-6 and nearest or nil
end

-- to_unit(value): where the value lies in the unit interval; a cell's middle.
function Dist:to_unit(value)
  if self.log or self.kind == "real" and not self.step then
    local a, b = ends(self)
    return ((self.log and math.log(value) or value) - a) / (b - a)
  end
  return (self:index(value) + 0.5) / self:cells()
end

-- has(value): whether the distribution can give it.
function Dist:has(value)
  if self.kind == "real" and not self.step then return finite(value) and value >= self.low and value <= self.high end
  return self:index(value) ~= nil
end

local function shown(value) return json.encode(value) end

function Dist:__tostring()
  if self.kind ~= "choice" then
    return ("%s from %.14g to %.14g%s%s"):format(self.kind == "int" and "a whole number" or "a number", self.low, self.high,
                                                 self.step and (" in steps of %.14g"):format(self.step) or "",
                                                 self.log and " (logarithmic)" or "")
  end
  local items = {}
  for i, value in ipairs(self.values) do items[i] = shown(value) end
  return ("one of %s"):format(table.concat(items, ", "))
end

-- -- Spaces ------------------------------------------------------------------------------------------------------

-- The values a condition allows, as a list: one value, or several of the other knob's.
local function allowed(name, parent, dist, wanted)
  if dist:cells() == math.huge then core.raise("space: %s exists only under %s, which is continuous", name, parent) end
  if dist:has(wanted) then return { wanted } end
  local list = type(wanted) == "table" and wanted or { wanted }
  if #list == 0 then core.raise("space: %s exists only under %s with none of its values", name, parent) end
  local copy = {}
  for i, value in ipairs(list) do
    if not dist:has(value) then
      core.raise("space: %s exists only under %s = %s, but %s is %s", name, parent, shown(value), parent, tostring(dist))
    end
    copy[i] = value
  end
  return copy
end

-- The names, parents before children, otherwise by the alphabet.
local function ordered(dists)
  local names, state = {}, {}
  local function visit(name)
    if state[name] == "done" then return end
    if state[name] then core.raise("space: the conditions of %s go in a circle", name) end
    state[name] = "open"
    for _, parent in ipairs(options.sorted_keys(dists[name].only or {})) do visit(parent) end
    state[name], names[#names + 1] = "done", name
  end
  for _, name in ipairs(options.sorted_keys(dists)) do visit(name) end
  return names
end

-- new { name = distribution, ... }
function Space.new(given)
  if type(given) ~= "table" then core.raise("space: expected { knob = distribution, ... }, got %s", options.shown(given)) end
  if getmetatable(given) == Space then return given end
  local dists = {}
  for name, dist in pairs(given) do
    if type(name) ~= "string" or not name:match "^[%a_][%w_]*$" then
      core.raise("space: a knob's name must be a word, got %s", tostring(name))
    end
    local own = {}
    for k, v in pairs(Space.dist(dist, "space: " .. name)) do own[k] = v end
    dists[name] = setmetatable(own, Dist)
  end
  if next(dists) == nil then core.raise "space: no knobs are given" end
  local parents = {}
  for name, dist in pairs(dists) do
    local only = {}
    for parent, wanted in pairs(dist.only or {}) do
      if not dists[parent] then
        core.raise("space: %s exists only under '%s', which is no knob of the space%s", name, parent,
                   options.suggest(parent, options.sorted_keys(dists)))
      end
      only[parent], parents[parent] = allowed(name, parent, dists[parent], wanted), true
    end
    dist.only = dist.only and only
  end
  return setmetatable({ names = ordered(dists), dists = dists, parents = parents }, Space)
end

-- exists(name, params): whether a knob is active under the values of the knobs before it in `names`.
function Space:exists(name, params)
  for parent, values in pairs(self.dists[name].only or {}) do
    local value, found = params[parent], false
    if value ~= nil then
      for _, x in ipairs(values) do found = found or knobs.same(x, value) end
    end
    if not found then return false end
  end
  return true
end

-- make(f): params by f(name, dist, params so far) for each active knob, in the order of names.
function Space:make(f)
  local params = {}
  for _, name in ipairs(self.names) do
    if self:exists(name, params) then params[name] = f(name, self.dists[name], params) end
  end
  return params
end

-- active(params): the list of names of the knobs that exist there.
function Space:active(params)
  local list, seen = {}, {}
  for _, name in ipairs(self.names) do
    if self:exists(name, seen) then list[#list + 1], seen[name] = name, params[name] end
  end
  return list
end

-- check(params): raises one line unless each active knob has a value that it can have, and no other is given. Gives params.
function Space:check(params)
  if type(params) ~= "table" then core.raise("expected { knob = value, ... }, got %s", tostring(params)) end
  local exists = {}
  for _, name in ipairs(self:active(params)) do
    local value, dist = params[name], self.dists[name]
    if value == nil then core.raise("knob %s has no value", name) end
    if not dist:has(value) then
      local ok, text = pcall(shown, value)
      core.raise("knob %s must be %s, got %s", name, tostring(dist), ok and text or tostring(value))
    end
    exists[name] = true
  end
  for name in pairs(params) do
    if not self.dists[name] then
      core.raise("unknown knob '%s'%s", tostring(name), options.suggest(name, options.sorted_keys(self.dists)))
    end
    if not exists[name] then core.raise("knob %s does not exist under the other knobs' values", name) end
  end
  return params
end

-- key(params): a text, equal for equal points.
function Space:key(params)
  return json.encode(params, self.names)
end

-- count(levels): how many points there are with levels(name, dist) -> how many values a knob has, and
-- point(index, levels, at): the point of an index from 0, the first name slowest; at(name, dist, i) -> value.
-- What comes after a knob that others hang on is counted for each of its values.
local function counted(self, levels, at, from, params)
  if from > #self.names then return 1 end
  local name = self.names[from]
  local dist = self.dists[name]
  if not self:exists(name, params) then return counted(self, levels, at, from + 1, params) end
  if not self.parents[name] then return levels(name, dist) * counted(self, levels, at, from + 1, params) end
  local sum = 0
  for i = 0, levels(name, dist) - 1 do
    params[name] = at(name, dist, i)
    sum = sum + counted(self, levels, at, from + 1, params)
  end
  params[name] = nil
  return sum
end

local function own_cells(_, dist) return dist:cells() end
local function own_value(_, dist, i) return dist:at(i) end

function Space:count(levels, at) return counted(self, levels, at or own_value, 1, {}) end

function Space:point(index, levels, at)
  local place = 0
  return self:make(function(name, dist, params)
    while self.names[place] ~= name do place = place + 1 end
    local under = {}
    for k, v in pairs(params) do under[k] = v end
    if not self.parents[name] then
      local rest = counted(self, levels, at, place + 1, under)
      local i = math.floor(index / rest)
      index = index - i * rest
      return at(name, dist, i)
    end
    for i = 0, levels(name, dist) - 1 do
      under[name] = at(name, dist, i)
      local rest = counted(self, levels, at, place + 1, under)
      if index < rest then return under[name] end
      index = index - rest
    end
  end)
end

-- size(): the number of points; math.huge where a knob is continuous.
function Space:size()
  for _, name in ipairs(self.names) do
    if self.dists[name]:cells() == math.huge then return math.huge end
  end
  return self:count(own_cells)
end

-- nth(i): point i of a finite space, from 0.
function Space:nth(i) return self:point(i, own_cells, own_value) end

-- document(): a plain table for JSON; from_document(doc): the space again.
function Space:document()
  local list = {}
  for i, name in ipairs(self.names) do
    local dist = self.dists[name]
    list[i] = { name = name, kind = dist.kind, low = dist.low, high = dist.high, log = dist.log, step = dist.step,
                values = dist.values, only = dist.only }
  end
  return { knobs = list }
end

function Space.from_document(doc)
  local dists = {}
  for _, k in ipairs(type(doc) == "table" and doc.knobs or {}) do
    local dist
    if k.kind == "choice" then dist = Space.choice(k.values)
    elseif k.kind == "int" then dist = Space.int(k.low, k.high, { log = k.log, step = k.step })
    elseif k.kind == "real" then dist = (k.log and Space.log or Space.uniform)(k.low, k.high, not k.log and { step = k.step } or nil)
    else core.raise("space: a document's knob %s is of the unknown kind %s", tostring(k.name), tostring(k.kind)) end
    dists[k.name] = k.only and Space.only(dist, k.only) or dist
  end
  return Space.new(dists)
end

function Space:__tostring()
  local lines = {}
  for i, name in ipairs(self.names) do
    local conditions = {}
    for _, parent in ipairs(options.sorted_keys(self.dists[name].only or {})) do
      local values = {}
      for j, value in ipairs(self.dists[name].only[parent]) do values[j] = shown(value) end
      conditions[#conditions + 1] = ("%s = %s"):format(parent, table.concat(values, " or "))
    end
    lines[i] = ("%s: %s%s"):format(name, tostring(self.dists[name]),
                                   #conditions > 0 and ", only where " .. table.concat(conditions, " and ") or "")
  end
  return table.concat(lines, "\n")
end

return Space
