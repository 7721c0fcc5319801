-- search.lua: samplers beside Optuna's on test functions (search_functions.lua): the mean over seeds of the best value after 50 and
-- after 100 trials, with its 95 % interval. A row says whether ours is ahead or behind by more than the interval of
-- the difference.
--
--   ./exeunt script bench/search.lua [SAMPLER,...] [FUNCTION,...] [SEEDS]          ours alone, where python3-optuna is not installed
--   ./exeunt script bench/search.lua speed                                         milliseconds an ask at 10,000 finished trials
--
-- Both sides have written the functions themselves: a point of each of their searches is evaluated here again, and compared.
-- BENCH_OPTUNA=FILE takes Optuna's lines (peers/search_optuna.py's output) from a file instead of running it: 25 minutes.

package.path = "bench/?.lua;" .. package.path
local ex = require "exeunt"
local core = require "exeunt.core"
local json = require "exeunt.report.json"
local stats = require "exeunt.stats"
local tables = require "exeunt.report.table"
local functions = require "search_functions"
local Random = require "exeunt.search.samplers.random"
local Space = require "exeunt.search.space"

local PYTHON = os.getenv "BENCH_PYTHON" or "/usr/bin/python3"

-- The best values after 50 and after 100 trials of one search.
local function search(name, case, seed)
  local sampler, trials, cache, best, after = ex.sampler[name](), {}, {}, math.huge, {}
  for number = 0, 99 do
    local params = sampler:suggest { space = case.space, seed = seed, number = number, directions = { "minimize" }, trials = trials,
                                     cache = cache }
    local value = case.f(params)
    best = math.min(best, value)
    trials[number + 1] = { number = number, state = "complete", params = params, values = { value }, finish = number + 1 }
    if number == 49 or number == 99 then after[#after + 1] = best end
  end
  return after
end

-- Raises where the other side's function has another value at its best point.
local function check(row)
  local value = functions[row["function"]].f(row.params)
  if math.abs(value - row.value) > 1e-9 * math.max(1, math.abs(value)) then
    core.raise("search: %s is %.17g there and %.17g here", row["function"], row.value, value)
  end
end

-- Optuna's results: { ["tpe sphere"] = { { after 50, after 100 }, ... } }; empty where it is not installed.
local function theirs(samplers, names, seeds)
  local found, lines = {}
  if os.getenv "BENCH_OPTUNA" then
    lines = assert(io.open(os.getenv "BENCH_OPTUNA"))
  elseif os.execute(PYTHON .. " -c 'import optuna' 2>/dev/null") == 0 then
    lines = io.popen(("%s bench/peers/search_optuna.py %s %s %d"):format(PYTHON, table.concat(samplers, ","), table.concat(names, ","),
                                                                         seeds))
  else
    io.stderr:write("Optuna is not here: apt-get install python3-optuna\n")
    return found
  end
  for line in lines:lines() do
    local row = json.decode(line)
    if row.params then check(row) end
    local key = row.sampler .. " " .. row["function"]
    found[key] = found[key] or {}
    table.insert(found[key], row.best)
  end
  lines:close()
  return found
end

-- The mean of place `i` of a list of lists and half of its 95 % interval.
local function mean(list, i)
  local values = {}
  for k, each in ipairs(list) do values[k] = each[i] end
  local middle, half = stats.interval(values)
  return middle, half or 0
end

local function shown(list, i)
  if not list then return "" end
  local middle, half = mean(list, i)
  return ("%.3g ± %.2g"):format(middle, half > 1e-12 * math.abs(middle) and half or 0)   -- not the rounding of equal values
end

-- "behind" where ours is worse by more than the intervals allow, "ahead" where it is better by so much.
local function judged(ours, other, i)
  if not other or #ours < 2 then return "" end
  local a, half_a = mean(ours, i)
  local b, half_b = mean(other, i)
  local apart = math.sqrt(half_a ^ 2 + half_b ^ 2)
  return a > b + apart and "behind" or a < b - apart and "ahead" or "even"
end

local function compare(samplers, names, seeds)
  local peers, rows = theirs(samplers, names, seeds), {}
  for _, name in ipairs(samplers) do
    for _, fn in ipairs(names) do
      if not (name == "cmaes" and functions[fn].choices) then
        local ours = {}
        for seed = 1, seeds do ours[seed] = search(name, functions[fn], seed) end
        local other = peers[name .. " " .. fn]
        for i, n in ipairs { 50, 100 } do
          rows[#rows + 1] = { name, fn, tostring(n), shown(ours, i), shown(other, i), judged(ours, other, i) }
        end
      end
    end
  end
  io.stdout:write(tables.render({ "sampler", "function", "trials", "exeunt", "optuna", "" }, rows))
end

-- Median milliseconds of an ask at 10,000 finished trials, in a space of five numbers and in one with a choice.
local function speed()
  local spaces = {
    numbers = Space.new { lr = ex.log(1e-4, 1e-1), a = ex.uniform(0, 1), b = ex.uniform(0, 1), c = ex.uniform(0, 1), d = ex.uniform(0, 1) },
    mixed = Space.new { lr = ex.log(1e-4, 1e-1), a = ex.uniform(0, 1), b = ex.int(1, 256), c = ex.choice { "x", "y", "z" },
                        d = ex.int(1, 9) },
  }
  local rows = {}
  for _, kind in ipairs { "numbers", "mixed" } do
    local space, trials = spaces[kind], {}
    for number = 0, 9999 do
      local params = Random.draw(space, 5, number)
      trials[number + 1] = { number = number, state = "complete", params = params, values = { (params.lr - 0.01) ^ 2 + params.a },
                             finish = number + 1 }
    end
    for _, name in ipairs { "random", "sobol", "tpe", "cmaes", "nsga2" } do
      if not (name == "cmaes" and kind == "mixed") then
        local sampler, cache, times = ex.sampler[name](), {}, {}
        for i = 0, 20 do
          local start = core.C.ex_clock()
          sampler:suggest { space = space, seed = 1, number = 10000 + i, directions = { "minimize" }, trials = trials, cache = cache }
          times[i] = (core.C.ex_clock() - start) * 1000
        end
        local first = times[0]
        table.sort(times)
        rows[#rows + 1] = { name, kind, ("%.2f ms"):format(times[11]), ("%.1f ms"):format(first) }
      end
    end
  end
  io.stdout:write(tables.render({ "sampler", "space", "an ask", "the first" }, rows))
end

local function split(text)
  local list = {}
  for word in (text or ""):gmatch "[^,]+" do list[#list + 1] = word end
  return #list > 0 and list or nil
end

if arg[1] == "speed" then speed()
else compare(split(arg[1]) or { "tpe", "cmaes", "random" }, split(arg[2]) or functions.names, tonumber(arg[3] or 20)) end
