-- cli/where.lua: names of a trial's fields, objectives and params, and conditions on them: "state=complete", "lr<=0.1". A condition
-- that no trial could meet, a word where a number is meant or a state that there is not, is refused with what is expected. It is no
-- command.

local options = require "exeunt.options"
local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"

local where = {}

local STATES = { "running", "interrupted", "paused", "complete", "stopped", "failed" }

-- Fields -> what may be asked of them: "number", a list of texts, or anything.
where.fields = { number = "number", state = STATES, seconds = "number", finish = "number", attempts = "number", worker = "text",
                 error = "text", run_dir = "text", feasible = { "true", "false" } }

-- What may be asked of a param: its choices as the space has them; a number where its values are numbers alone.
local function kind_of(name, trials, space)
  for _, k in ipairs((space or {}).knobs or {}) do
    if k.name == name then
      if k.kind ~= "choice" then return "number" end
      local list = {}
      for i, value in ipairs(k.values) do list[i] = tostring(stored.shown(value)) end
      return list
    end
  end
  for _, trial in ipairs(trials) do
    local value = trial.params and trial.params[name]
    if value ~= nil and type(value) ~= "number" then return "text" end
  end
  return "number"
end

-- names(trials, study) -> { [name] = { of = function(trial) -> value, kind } }: all that --sort and --where may name. Where two things have
-- one name, the first of: a field, a value, an objective, a param. study: its record.
function where.names(trials, study)
  local known, objectives, params = {}, stored.objectives(study), {}
  for _, k in ipairs((study.document.space or {}).knobs or {}) do params[k.name] = true end
  for _, trial in ipairs(trials) do
    for name in pairs(trial.params or {}) do params[name] = true end
  end
  for name in pairs(params) do
    known[name] = { of = function(t) return t.params and stored.shown(t.params[name]) end,
                    kind = kind_of(name, trials, study.document.space) }
  end
  for i = math.max(#objectives, 1), 1, -1 do
    local value = { of = function(t) return t.values and t.values[i] end, kind = "number" }
    known[stored.title(objectives, i)], known[i == 1 and "value" or "value" .. i] = value, value
  end
  for name, kind in pairs(where.fields) do known[name] = { of = function(t) return t[name] end, kind = kind } end
  return known
end

-- named(option, name, known): the entry of a name; refuses one that there is not.
function where.named(option, name, known)
  return known[name] or usage.fail("trials: %s: there is no '%s'%s", option, name, options.suggest(name, options.sorted_keys(known)))
end

local compare = {
  ["="] = function(a, b) return a == b end, ["!="] = function(a, b) return a ~= b end,
  ["<"] = function(a, b) return a < b end, [">"] = function(a, b) return a > b end,
  ["<="] = function(a, b) return a <= b end, [">="] = function(a, b) return a >= b end,
}

-- Refuses a value that a name of that kind cannot have.
local function check(name, kind, sign, value)
  if kind == "number" and not tonumber(value) then
    usage.fail("trials: --where: %s is a number, got '%s'", name, value)
  end
  if type(kind) ~= "table" or sign ~= "=" and sign ~= "!=" then return end
  for _, text in ipairs(kind) do
    if text == value or tonumber(text) and tonumber(text) == tonumber(value) then return end
  end
  usage.fail("trials: --where: %s is never '%s'%s", name, value, options.suggest(value, kind))
end

-- condition(text, known): "lr<=0.1" -> a function of a trial.
function where.condition(text, known)
  local name, sign, value = text:match "^([%a_][%w_.]*)%s*([<>!=]=?)%s*(.*)$"
  if not name or not compare[sign] or value:match "^[<>=!]" then
    usage.fail("trials: --where must be as state=complete or lr<=0.1, got '%s'", text)
  end
  local field, number = where.named("--where", name, known), tonumber(value)
  check(name, field.kind, sign, value)
  return function(trial)
    local x = field.of(trial)
    if x == nil then return false end
    if type(x) == "number" and number then return compare[sign](x, number) end
    return compare[sign](tostring(x), value)
  end
end

return where
