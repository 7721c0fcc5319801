-- report/study/knob.lua: a study's knobs as axes: where a value lies, and what is written beside it. It is no figure itself.

local json = require "exeunt.report.json"
local scale = require "exeunt.report.scale"

local knob = {}

-- list(space): the knobs of a space's document, { name, kind, low, high, log, step, values } in its order.
function knob.list(space)
  local out = {}
  for i, k in ipairs((space or {}).knobs or {}) do out[i] = k end
  return out
end

-- text(value): as it is written on a command line: "1e-05", "16,32,64", "mix".
function knob.text(value)
  if type(value) == "number" then return scale.number_text(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for i, x in ipairs(value) do parts[i] = knob.text(x) end
  return table.concat(parts, ",")
end

-- index(k, value): the place of a choice among its values, from 1; nil where it is none of them.
function knob.index(k, value)
  local key = json.encode(value)
  for i, x in ipairs(k.values or {}) do
    if json.encode(x) == key then return i end
  end
end

-- share(k, value): where it lies between its ends, from 0 to 1; nil for what is not there.
function knob.share(k, value)
  if value == nil then return nil end
  if k.kind == "choice" then
    local i = knob.index(k, value)
    return i and (#k.values == 1 and 0.5 or (i - 1) / (#k.values - 1))
  end
  if type(value) ~= "number" or not (k.low and k.high) then return nil end
  if k.log then return math.log(value / k.low) / math.log(k.high / k.low) end
  return (value - k.low) / (k.high - k.low)
end

-- axis(k): for a figure: logarithmic where the knob is, a tick for each choice.
function knob.axis(k)
  local axis = { title = k.name .. (k.log and " (log)" or ""), log = k.log, low = k.low, high = k.high,
                 whole = k.kind == "int" and not k.log }
  if k.kind == "choice" then
    axis.low, axis.high, axis.ticks = 0.4, #k.values + 0.6, {}
    for i, value in ipairs(k.values) do axis.ticks[i] = { i, knob.text(value) } end
  end
  return axis
end

-- A number from -0.5 to 0.5 that spreads trials evenly: multiples of the golden ratio.
local function spread(number) return (number * 0.6180339887498949) % 1 - 0.5 end

-- place(k, value, number): where a trial's value stands on that axis; choices are spread a little by the trial's number, so that
-- points do not hide each other.
function knob.place(k, value, number)
  if value == nil then return false end
  if k.kind ~= "choice" then return type(value) == "number" and value end
  local i = knob.index(k, value)
  return i and i + 0.4 * spread(number) or false
end

-- objective_title(o, word): "pruned.macs (million, less is better)"; word: the unit of the axis, if any (scale.of).
function knob.objective_title(o, word)
  return ("%s (%s%s is better)"):format(o.path, word and word .. ", " or "", o.maximize and "more" or "less")
end

-- left_out(view): a sentence for figures of those trials alone that keep the constraints; "" where all do.
function knob.left_out(view)
  return #view.done > #view.ranked and " Trials that break a constraint are left out." or ""
end

return knob
