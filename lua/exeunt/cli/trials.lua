-- cli/trials.lua: `exeunt trials STUDY` lists a study's trials, sorted and filtered, as a table, as CSV or as JSON. What --sort and
-- --where name is a column of the table (an objective or a param among them), `value`, `value2`, ... or a field (cli/where.lua). It
-- changes nothing.

local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"
local where = require "exeunt.cli.where"

local command = { about = "the trials of a study", usage = "STUDY [--sort NAME] [--where NAME=VALUE]" }

local function filtered(trials, conditions)
  local list = {}
  for _, trial in ipairs(trials) do
    local keep = true
    for _, holds in ipairs(conditions) do keep = keep and holds(trial) end
    if keep then list[#list + 1] = trial end
  end
  return list
end

-- Sorted by a field, upwards or (-name) downwards: numbers before texts; trials that lack it or have NaN come last, equal ones in
-- order of number.
local function sort(trials, field, down)
  local function before(a, b)
    local x, y = field(a), field(b)
    if x ~= x then x = nil end
    if y ~= y then y = nil end
    if x == y then return a.number < b.number end
    if x == nil or y == nil then return y == nil end
    if type(x) ~= type(y) then x, y = type(x), type(y) end
    if type(x) == "boolean" then x, y = tostring(x), tostring(y) end
    if down then return x > y end
    return x < y
  end
  table.sort(trials, before)
end

-- Columns and rows. Text for people has fewer columns, and short numbers.
local function laid_out(trials, objectives, csv)
  local params = {}
  for _, trial in ipairs(trials) do
    for name in pairs(trial.params or {}) do params[name] = true end
  end
  params = require("exeunt.options").sorted_keys(params)
  local number = csv and require("exeunt.report.json").number or "%.6g"
  local columns = { "number", "state" }
  for i = 1, math.max(#objectives, 1) do columns[#columns + 1] = { title = stored.title(objectives, i), format = number } end
  for _, name in ipairs(params) do columns[#columns + 1] = { title = name, format = number } end
  columns[#columns + 1] = { title = "seconds", format = csv and number or "%.1f" }
  if csv then
    for _, title in ipairs { "feasible", "attempts", "run_dir" } do columns[#columns + 1] = title end
  end
  columns[#columns + 1] = "error"
  local rows = {}
  for r, trial in ipairs(trials) do
    local row, n = {}, #columns
    for i, column in ipairs(columns) do
      local title = type(column) == "table" and column.title or column
      if i > 2 and i <= 2 + math.max(#objectives, 1) then row[i] = trial.values and trial.values[i - 2]
      elseif i > 2 and i <= n and not where.fields[title] then row[i] = trial.params and stored.shown(trial.params[title])
      else row[i] = trial[title] end
      if csv and row[i] == nil then row[i] = "" end
    end
    if not csv and trial.error == nil then row[n] = "" end
    if not csv and trial.feasible == false then row[2] = trial.state .. ", infeasible" end
    rows[r] = row
  end
  return columns, rows
end

local function parser()
  local p = usage.parser("trials", "Lists the trials of a study. Names for --sort and --where: the columns that it shows, value (value2, "
    .. "... of further objectives), and finish (the order in which they ended), attempts, worker, run_dir, feasible (true or false: "
    .. "whether a complete trial keeps the study's constraints). A trial is running, interrupted (the search that goes on takes it up "
    .. "again), paused, complete, stopped or failed; infeasible means that it breaks a constraint.")
  p:argument("study", "The study's name, or its file.")
  p:option("--sort", "Sort by this, upwards; --sort=-NAME: downwards."):argname "NAME"
  p:option("--where", "Only trials for which this holds, as state=complete or 'lr<=0.1'; may be given again."):count "*":argname "CONDITION"
  p:option("--first", "Only the first so many.", nil, usage.whole("--first", 0, 2 ^ 53)):argname "N"
  p:flag("--csv", "Print CSV instead of a table.")
  stored.options(p)
  return p
end

-- "--sort -NAME" as "--sort=-NAME": it is no option.
local function join_sort(args)
  local joined = {}
  for _, arg in ipairs(args) do
    if joined[#joined] == "--sort" and arg:match "^%-[^-]" then joined[#joined] = "--sort=" .. arg else joined[#joined + 1] = arg end
  end
  return joined
end

function command.main(args)
  local given = usage.parse("trials", parser(), join_sort(args))
  if given.csv and given.json then usage.fail("trials: --csv or --json, not both") end
  local store = stored.open(given.store)
  local study = stored.find(store, given.study)
  local objectives, trials = stored.objectives(study), (store:trials(study.id))
  store:close()
  for _, trial in ipairs(trials) do trial.state, trial.feasible = stored.state(trial), stored.feasible(trial) end
  local known, conditions = where.names(trials, study), {}
  for i, text in ipairs(given.where) do conditions[i] = where.condition(text, known) end
  trials = filtered(trials, conditions)
  if given.sort then
    local sign, name = given.sort:match "^(%-?)(.*)$"
    sort(trials, where.named("--sort", name, known).of, sign == "-")
  end
  if given.first then trials = { unpack(trials, 1, math.min(given.first, #trials)) } end
  if given.json then
    local list = require("exeunt.report.json").list()
    for i, trial in ipairs(trials) do list[i] = stored.object(trial, study) end
    return stored.print(list)
  end
  if #trials == 0 and not given.csv then return usage.write(io.stdout, "no trials\n") end
  local columns, rows = laid_out(trials, objectives, given.csv)
  usage.write(io.stdout, require("exeunt.report.table")[given.csv and "csv" or "render"](columns, rows))
end

return command
