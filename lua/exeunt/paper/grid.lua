-- paper/grid.lua: the cells of a grid, seed by seed, so that a table can be read early: each scheme's single exit first. Those that a
-- store has are skipped; it is claimed while the others are trained, so that two runs cannot train the same. A cell is trained through
-- paper/cell.lua, added to the store, and its checkpoints are removed, since its result says all that the table needs. At the end
-- latencies are measured again, side by side (paper/latency.lua), since cells may have been finished on other machines. It prints how
-- far it has come to standard error.

local context = require "exeunt.context"
local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local options = require "exeunt.options"
local progress = require "exeunt.report.progress"
local cell = require "exeunt.paper.cell"
local measure = require "exeunt.paper.latency"
local new_table = require "exeunt.paper.table"

local C = core.C

local Grid = {}
Grid.__index = Grid

-- grid{ nets, sets, sizes, regimes, schemes = lists, first_seed, seeds = how many, cell = settings that all share }.
-- The scheme "se" is always there.
local function new(given)
  local o = options.check("paper.grid", given, {
    nets = options.required, sets = options.required, sizes = options.required, regimes = options.required,
    schemes = options.required, first_seed = 420, seeds = 1, cell = {},
  })
  if type(o.seeds) ~= "number" or o.seeds < 1 or o.seeds ~= math.floor(o.seeds) then
    core.raise("paper.grid: seeds: expected how many, 1 or more, got %s", tostring(o.seeds))
  end
  for _, name in ipairs { "nets", "sets", "sizes", "regimes" } do
    if #o[name] == 0 then core.raise("paper.grid: %s: expected one or more, got none", name) end
  end
  local schemes = { "se" }
  for _, s in ipairs(o.schemes) do if s ~= "se" then schemes[#schemes + 1] = s end end
  local cells, fine_tuned = {}, false
  for _, regime in ipairs(o.regimes) do fine_tuned = fine_tuned or regime == "ft" end
  local function add(seed, net, set, size, regime)
    for _, scheme in ipairs(schemes) do
      local s = { net = net, data = set, size = size, regime = regime, scheme = scheme, seed = seed }
      for k, v in pairs(o.cell) do s[k] = v end
      if regime == "tr" and fine_tuned then s.weights = nil end
      cells[#cells + 1] = cell.settings(s)
    end
  end
  for seed = o.first_seed, o.first_seed + o.seeds - 1 do
    for _, regime in ipairs(o.regimes) do
      for _, size in ipairs(o.sizes) do
        for _, set in ipairs(o.sets) do
          for _, net in ipairs(o.nets) do add(seed, net, set, size, regime) end
        end
      end
    end
  end
  return setmetatable({ cells = cells }, Grid)
end

-- A cell's files in the run's folder, and the run's links to them.
local function remove_checkpoints(s)
  if not context.folder then return end
  for _, what in ipairs { "last", "best" } do
    local path = ("%s/%s.%s.safetensors"):format(context.folder, cell.name(s), what)
    if file.kind(path) == "file" then file.remove(path) end
    local link = ("%s/%s.safetensors"):format(context.folder, what)
    if file.kind(link) == nil then pcall(file.remove, link) end       -- it leads nowhere now
  end
end

-- "cell 3 of 15: NAME; about 12m 05s left", the time by what the cells of the same network took so far.
function Grid:announce(i, missing, s, took)
  local left, known = 0, true
  for k = i, #missing do
    local each = took[missing[k].net]
    if each then left = left + each.seconds / each.count else known = false end
  end
  io.stderr:write(("cell %d of %d: %s%s\n"):format(#self.cells - #missing + i, #self.cells, cell.name(s),
                                                   known and "; about " .. progress.duration(left) .. " left" or ""))
end

-- missing(store): the settings of the cells that a store has not, in order.
function Grid:missing(store)
  local out = {}
  for _, s in ipairs(self.cells) do if not store:find(s) then out[#out + 1] = s end end
  return out
end

-- What cannot be opened or built is said before the first cell is trained, not days later. All weightings of a network begin alike.
local function check(missing)
  local data, tried = {}, {}
  for _, s in ipairs(missing) do
    local set = s.data .. " " .. s.size
    local start = ("%s %s %s %s"):format(set, s.net, s.regime, s.scheme == "se" and "se" or "exits")
    data[set] = data[set] or cell.data(s)
    local ok, why = true, nil
    if not tried[start] then ok, why = pcall(cell.beginning, s, data[set]) end
    if not ok then core.raise("paper.grid: network %s on %s: %s", s.net, s.data, why) end
    tried[start] = true
  end
end

-- Trains what a claimed store lacks.
function Grid:fill(store, quiet)
  local missing, took = self:missing(store), {}
  for i, s in ipairs(missing) do
    if not quiet then self:announce(i, missing, s, took) end
    local from = C.ex_clock()
    local document = json.plain(cell(s, { quiet = quiet }):document {})
    local ok, why = pcall(store.add, store, s, document)
    if not ok then core.raise("%s%s", why, context.folder and " (the training is kept: go on with --resume)" or "") end
    remove_checkpoints(s)
    local each = took[s.net] or { seconds = 0, count = 0 }
    took[s.net] = { seconds = each.seconds + C.ex_clock() - from, count = each.count + 1 }
  end
end

-- Trains what the store lacks.
function Grid:train(store, quiet)
  local missing = self:missing(store)
  if #missing == 0 then return end
  check(missing)
  local claim = store:claim()
  local ok, why = pcall(self.fill, self, store, quiet)
  claim:free()
  if not ok then error(why, 0) end
end

local function write_tables(report)
  if not context.folder then return end
  file.write(context.folder .. "/table.md", report:markdown())
  file.write(context.folder .. "/table.csv", report:csv())
end

-- run(store[, { quiet = false }]) -> the table (paper/table.lua) of the grid's cells, all finished.
function Grid:run(store, how)
  local quiet = options.check("paper.grid", how or {}, { quiet = false }).quiet
  local finished = #self.cells - #self:missing(store)
  if finished > 0 and not quiet then
    io.stderr:write(("%d of %d cells are finished already, in %s\n"):format(finished, #self.cells, store.path))
  end
  self:train(store, quiet)
  local records = {}
  for i, s in ipairs(self.cells) do records[i] = store:find(s) end
  if not quiet then io.stderr:write "measuring latencies, the networks side by side\n" end
  local report = new_table(measure(records))
  write_tables(report)
  return report
end

return new
