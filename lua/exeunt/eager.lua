-- eager.lua: one operator applied now: tensors in, tensors out, through a plan of one node. The plans of small calls are
-- kept, so that the same call again costs a look-up, a copy in, a run and a copy out. It trains nothing and keeps no
-- tensor of the caller's: small inputs are copied into the plan's own, plans of large calls are freed at once.
--
--   eager.run("add", { a, b })                               -> a tensor
--   eager.run("sum", { a }, { axes = { 0 }, keepdim = true })

local core = require "exeunt.core"
local Graph = require "exeunt.graph"
local Plan = require "exeunt.plan"
local C = core.C

local eager = { kept = 0, limit = 128, small = 65536 }     -- calls kept; most of them; most numbers that a kept call takes

local cache = {}                           -- key -> { plan, inputs, names, outputs }

local function shapes_text(inputs)
  local list = {}
  for i, t in ipairs(inputs) do
    list[i] = "(" .. table.concat(t.shape, ", ") .. ")" .. (t.dtype == "float32" and "" or " " .. t.dtype)
  end
  return table.concat(list, ", ")
end

local function key_of(op, inputs, attrs)
  local parts = { op }
  for _, t in ipairs(inputs) do parts[#parts + 1] = t.dtype .. " " .. table.concat(t.shape, " ") end
  local names = {}
  for name in pairs(attrs) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = attrs[name]
    parts[#parts + 1] = name .. "=" .. (type(value) == "table" and table.concat(value, " ") or tostring(value))
  end
  return table.concat(parts, ";")
end

-- Compiles op on inputs of these shapes. What C says about them is put after the operator's name and the shapes.
local function compile(op, inputs, attrs)
  local g, values, names = Graph.new(), {}, {}
  for i, t in ipairs(inputs) do
    names[i] = "x" .. i
    values[i] = g:input(names[i], t.shape, t.dtype)
  end
  local outputs = { pcall(g.node, g, op, op, values, attrs) }
  if not table.remove(outputs, 1) then
    local prefix = op .. ": " .. op .. ": "
    local why = tostring(outputs[1])
    if why:sub(1, #prefix) == prefix then why = why:sub(#prefix + 1) end
    core.raise("%s of %s: %s", op, shapes_text(inputs), why)
  end
  return { plan = Plan.new(g, { outputs = outputs, batch = 1 }), names = names, outputs = #outputs }
end

local function outputs_of(call)
  local out = {}
  for i = 1, call.outputs do out[i] = call.plan:output(i) end
  return unpack(out)
end

local function run_once(op, inputs, attrs)
  local call = compile(op, inputs, attrs)
  for i, t in ipairs(inputs) do call.plan:bind(call.names[i], t) end
  call.plan:run(1)
  local out = { outputs_of(call) }
  call.plan:free()
  return unpack(out)
end

-- The whole cache goes when it is full: a loop over ever new shapes gains nothing from one, any other fills it again soon.
local function keep(key, call, inputs)
  if eager.kept >= eager.limit then eager.forget() end
  call.inputs = {}
  for i, t in ipairs(inputs) do
    call.inputs[i] = t:clone()
    call.plan:bind(call.names[i], call.inputs[i])
  end
  cache[key] = call
  eager.kept = eager.kept + 1
end

-- forget(): frees the kept plans.
function eager.forget()
  for key, call in pairs(cache) do
    call.plan:free()
    cache[key] = nil
  end
  eager.kept = 0
end

-- run(op, { tensors }[, attrs]) -> a tensor for each output of the operator.
function eager.run(op, inputs, attrs)
  attrs = attrs or {}
  local numbers = 0
  for _, t in ipairs(inputs) do
    if t:count() == 0 then core.raise("%s of %s: an empty tensor holds nothing to compute on", op, shapes_text(inputs)) end
    numbers = numbers + t:count()
  end
  if numbers > eager.small then return run_once(op, inputs, attrs) end
  local key = key_of(op, inputs, attrs)
  local call = cache[key]
  if not call then
    call = compile(op, inputs, attrs)
    keep(key, call, inputs)
  end
  for i, t in ipairs(inputs) do core.check(C.ex_tensor_copy(call.inputs[i].handle, t.handle)) end
  call.plan:run(1)
  return outputs_of(call)
end

return eager
