-- step.lua: `ex.report { step = n, name = value, ... }`: what a recipe that trains in its own way says of a step. In a run it is
-- a line of log.jsonl (a step that is said again, as after --resume, takes the place of its line) and one on standard error; a
-- search's stopper looks at it. It is also where a run that was asked to stop, stops. Outside a run it only checks. It refuses
-- values that are no numbers, and steps that go back.

local context = require "exeunt.context"
local core = require "exeunt.core"
local json = require "exeunt.report.json"
local options = require "exeunt.options"
local signals = require "exeunt.signals"

-- A value that a line may hold: a number (NaN becomes null) or a table of such.
local function checked(name, value)
  local kind = type(value)
  if kind == "table" then
    for k, v in pairs(value) do checked(name .. "." .. tostring(k), v) end
  elseif kind ~= "number" then
    core.raise("report: %s must be a number or a table of numbers, got %s", name,
               kind == "string" and options.shown(value) or "a " .. kind)
  end
end

local function shown(line)
  local parts = {}
  for _, name in ipairs(options.sorted_keys(line)) do
    local x = line[name]
    if type(x) == "number" and name ~= "step" then parts[#parts + 1] = ("%s %.6g"):format(name, x) end
  end
  return ("step %d  %s\n"):format(line.step, table.concat(parts, "  "))
end

local reported = setmetatable({}, { __mode = "k" })              -- the last step of each run's log in this process

-- report{ step = a whole number from 0 on, name = value, ... }
return function(line)
  if type(line) ~= "table" then core.raise("report: expected { step = n, name = value, ... }, got %s", type(line)) end
  local step = line.step
  if type(step) ~= "number" or step < 0 or step ~= math.floor(step) or step > 2 ^ 53 then
    core.raise("report: step must be a whole number from 0 on, got %s", options.shown(step))
  end
  local named = 0
  for name, value in pairs(line) do
    if type(name) ~= "string" then core.raise("report: values are named (name = value), got one without a name") end
    if name == "train" or name == "epoch" then core.raise("report: '%s' is what lines of ex.train have; choose another name", name) end
    checked(name, value)
    named = named + 1
  end
  if named < 2 then core.raise "report: nothing is reported beside the step: add name = value" end
  if context.log then
    local last = reported[context.log]
    if last and step < last then core.raise("report: step %d comes after step %d: steps of a run go up", step, last) end
    reported[context.log] = step
    context.log:step(json.decode(json.encode(line)))
    io.stderr:write(shown(line))
  end
  signals.check()
end
