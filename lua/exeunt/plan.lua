-- plan.lua: a graph compiled for a purpose, and how it is run. One call runs a whole step in C; only operators written in Lua
-- (op.lua) come back here in the middle of it. What a plan returns is copied out and belongs to the caller.
--
--   local p = Plan.new(g, { outputs = { y }, batch = 64 })
--   p:bind("images", tensor)
--   p:run(64)
--   local t = p:output(1)

local core = require "exeunt.core"
local C, ffi = core.C, core.ffi

local Plan = {}
Plan.__index = Plan

-- -- The team of threads -------------------------------------------------------------------------------------------

local team, team_threads

-- Plan.team() -> the process's team; made at first use with Plan.threads(n)'s n, else as many threads as CPUs.
function Plan.team()
  team = team or core.own(C.ex_team_new(team_threads or C.ex_cpu_count()), C.ex_team_free)
  return team
end

-- Plan.threads([n]) -> how many threads plans use. With n: sets it, for plans made from now on.
function Plan.threads(n)
  if n then
    if type(n) ~= "number" or n < 1 or n ~= math.floor(n) then
      core.raise("threads: got %s, expected a whole number from 1 on", tostring(n))
    end
    if n ~= team_threads then team, team_threads = nil, n end
  end
  return C.ex_team_size(Plan.team())
end

-- -- Exactness -----------------------------------------------------------------------------------------------------

-- Plan.exact([on]) -> whether plans keep to the kernels of least rounding. With on: sets it, for plans made from now on.
-- Off at first, unless EXEUNT_PASSES has -winograd: then 3x3 convolutions multiply by Winograd's method where that is faster.
local exact = ((os.getenv "EXEUNT_PASSES" or "") .. ","):find("-winograd,", 1, true) ~= nil

function Plan.exact(on)
  if on ~= nil then exact = on end
  return exact
end

-- The passes to leave out: those of the environment too, which ones given to C would hide.
local function passes_off()
  if not exact then return nil end
  local others = os.getenv "EXEUNT_PASSES"
  return others and others ~= "" and others .. ",-winograd" or "-winograd"
end

-- -- Making --------------------------------------------------------------------------------------------------------

local function ids(g, values)
  local list = {}
  for i, v in ipairs(values or {}) do list[i] = g:value(v).id end
  return core.ints(list)
end

-- Plan.new(graph, { outputs, guards, batch = 1, training = false, passes })
--   outputs, guards: lists of Values (or names); guards must be finite before state is written.
function Plan.new(g, options)
  local output, outputs = ids(g, options.outputs)
  local guard, guards = ids(g, options.guards)
  local how = ffi.new("ex_plan_options", { batch = options.batch or 1, training = options.training and 1 or 0,
                                           passes = options.passes or passes_off() })
  local threads = options.team or Plan.team()
  local self = { threads = threads, names = {}, shapes = {}, slots = {} }   -- threads: kept alive with the plan
  for i, v in ipairs(options.outputs or {}) do
    local value = g:value(v)
    self.names[i], self.shapes[i] = value.name, { dtype = value.dtype, unpack(value.shape) }
  end
  self.handle = core.own(C.ex_plan_new(g.handle, outputs, output, guards, guard, how, threads), C.ex_plan_free)
  return setmetatable(self, Plan)
end

-- p:free(): gives the plan's memory back now.
function Plan:free()
  if self.handle then core.release(self.handle, C.ex_plan_free) end
  self.handle = nil
end

-- -- Running -------------------------------------------------------------------------------------------------------

-- p:needs(name) -> whether the plan reads an input of that name.
function Plan:needs(name) return C.ex_plan_slot(self.handle, name) ~= C.EX_NONE end

-- p:bind(name, tensor): the tensor is read at every run from now on. An input that the plan does not need is ignored.
function Plan:bind(name, tensor)
  local slot = self.slots[name]
  if not slot then
    slot = C.ex_plan_slot(self.handle, name)
    self.slots[name] = slot
  end
  if slot ~= C.EX_NONE then core.check(C.ex_plan_bind(self.handle, slot, tensor.handle)) end
end

-- One operator written in Lua: compute, then let C go on. An error in it gives the step up.
local function serve(self)
  local pause = self.pause or ffi.new("ex_pause")
  self.pause = pause
  core.check(C.ex_plan_paused(self.handle, pause))
  local ok, message = pcall(require("exeunt.op").serve, pause)
  if ok then return C.ex_plan_resume(self.handle, 1) end
  C.ex_plan_resume(self.handle, 0)
  core.raise("%s: %s: %s", ffi.string(pause.name), ffi.string(pause.op), tostring(message))
end

-- p:run(n[, seed, step]): runs n images. Raises on failure; the error is a table for an interrupt or a number that is not
-- finite: { status = "interrupted" or "not finite", message } with __tostring; then nothing was written.
local Stopped = { __tostring = function(e) return e.message end }
local NAMED = { [C.EX_INTERRUPTED] = "interrupted", [C.EX_NOT_FINITE] = "not finite" }
for k, v in pairs { [tonumber(C.EX_INTERRUPTED)] = "interrupted", [tonumber(C.EX_NOT_FINITE)] = "not finite" } do NAMED[k] = v end

function Plan:run(n, seed, step)
  local status = C.ex_plan_run(self.handle, n, seed or 0, step or 0)
  while status == C.EX_PAUSED do status = serve(self) end
  if status == C.EX_OK then return end
  local name = NAMED[tonumber(status)]
  if name then error(setmetatable({ status = name, message = core.message() }, Stopped), 0) end
  core.raise("%s", core.message())
end

-- p:output(i[, tensor]) -> output i of the last run as a tensor of its own (or copied into the one given).
-- n: the rows that the last run had, needed for batched outputs without a tensor.
function Plan:output(i, tensor, n)
  local shape = self.shapes[i] or core.raise("plan: no output %s: there are %d", tostring(i), #self.shapes)
  if not tensor then
    local dims = { unpack(shape) }
    if dims[1] == -1 then dims[1] = n or self:info().batch end
    tensor = require("exeunt.tensor").empty(dims, shape.dtype)
  end
  core.check(C.ex_plan_output(self.handle, i - 1, tensor.handle))
  return tensor
end

-- -- Looking -------------------------------------------------------------------------------------------------------

-- p:info() -> { nodes, batch, threads, arena_bytes, sum_bytes, macs, runs, peak_bytes (in use at the step `peak`) }
function Plan:info()
  local info = ffi.new("ex_plan_info")
  core.check(C.ex_plan_describe(self.handle, info))
  return { nodes = info.nodes, batch = info.batch, threads = info.threads, arena_bytes = info.arena_bytes,
           sum_bytes = info.sum_bytes, macs = info.macs, runs = info.runs, peak_bytes = info.peak_bytes, peak = info.peak + 1 }
end

-- p:nodes() -> list of { name, op, kernel, shape, dtype, macs, bytes, traffic, scratch, seconds, commit, constant,
-- chain (which of the chains takes it, from 1), in_pieces (only the chain knows its result, bytes are those of its pieces) } in
-- running order.
function Plan:nodes()
  local list, info = {}, ffi.new("ex_plan_node_info")
  local dtypes = { [0] = "float32", "int32", "uint8" }
  for i = 0, self:info().nodes - 1 do
    core.check(C.ex_plan_node(self.handle, i, info))
    local shape = {}
    for k = 1, info.ndim do shape[k] = info.dim[k - 1] end
    list[i + 1] = { name = ffi.string(info.name), op = ffi.string(info.op), kernel = ffi.string(info.kernel), shape = shape,
                    dtype = dtypes[info.dtype], macs = info.macs, bytes = info.bytes,
                    traffic = info.traffic, scratch = info.scratch, seconds = info.seconds, commit = info.commit == 1,
                    constant = info.constant == 1, chain = info.chain > 0 and info.chain or nil, in_pieces = info.in_pieces == 1,
                    live = info.live, at_peak = info.at_peak == 1 }
  end
  return list
end

-- p:seconds() -> list of each node's seconds, summed over the runs since profile(true).
function Plan:seconds()
  local list, info = {}, ffi.new("ex_plan_node_info")
  for i = 0, self:info().nodes - 1 do
    core.check(C.ex_plan_node(self.handle, i, info))
    list[i + 1] = info.seconds
  end
  return list
end

-- p:profile(on): times each node from now on, from zero.
function Plan:profile(on) core.check(C.ex_plan_profile(self.handle, on and 1 or 0)) end

function Plan:__tostring()
  local i = self:info()
  return ("plan: %d nodes, batch up to %d, %d threads, %.1f MB, %.2f MMACs"):format(
    i.nodes, i.batch, i.threads, i.arena_bytes / 1e6, i.macs / 1e6)
end

return Plan
