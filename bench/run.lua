-- run.lua [--json] [--list] [CASE...]: the benchmark: takes the cases (names, or globs such as 'train/*'; all of them if none
-- is given) and prints one table, or a line of JSON a row as soon as it is there. It judges nothing: bench/README.md says
-- what the figures mean.

package.path = "bench/?.lua;" .. package.path
local core = require "exeunt.core"
local glob = require "exeunt.glob"
local measure = require "measure"
local process = require "process"
local cases = require "cases"

-- -- Output ------------------------------------------------------------------------------------------------------------

local function show(x)
  return x and (x >= 1000 and ("%.0f"):format(x) or x >= 10 and ("%.1f"):format(x) or ("%.3f"):format(x)) or ""
end

-- What else there is to say about a row.
local function remarks(r)
  local list = { r.note }
  if (r.busy or 0) > 0 then list[#list + 1] = ("BUSY before %d of %d rounds"):format(r.busy, r.rounds) end
  return table.concat(list, "; ")
end

local function print_table(rows)
  local tables, lines = require "exeunt.report.table", {}
  for i, r in ipairs(rows) do
    lines[i] = { r.case, show(r.ours), r.peer or "none here", show(r.theirs), r.unit, r.ratio and ("%.2f"):format(r.ratio) or "",
                 remarks(r) }
  end
  local function right(title) return { title = title, align = "right" } end
  io.write(tables.render({ "case", right "ours", "peer", right "theirs", "unit", right "ratio", "" }, lines))
  print("ratio: the median over rounds, above 1 where we are ahead, whatever the unit; BUSY: something else ran, so no result")
end

local ORDER = { "case", "ours", "peer", "theirs", "unit", "ratio" }

local function print_json(rows)
  local json = require "exeunt.report.json"
  for _, r in ipairs(rows) do
    for _, key in ipairs(ORDER) do if r[key] == nil then r[key] = json.null end end
    for key, value in pairs(r) do
      if type(value) == "number" then r[key] = tonumber(("%.6g"):format(value)) end
    end
    print(json.encode(r, ORDER, "bench"))
  end
  io.stdout:flush()
end

-- -- Which cases ---------------------------------------------------------------------------------------------------------

local function choose(patterns)
  if #patterns == 0 then return cases end
  local chosen, set = {}, {}
  for _, pattern in ipairs(patterns) do
    local matches, any = glob.matcher(pattern), false
    for _, c in ipairs(cases) do
      if matches(c.name) then set[c], any = true, true end
    end
    if not any then core.raise("bench: no case %s; bench/run --list shows them", pattern) end
  end
  for _, c in ipairs(cases) do if set[c] then chosen[#chosen + 1] = c end end
  return chosen
end

local function group_size(group)
  local n = 0
  for _, c in ipairs(cases) do if c.group == group then n = n + 1 end end
  return n
end

-- -- Running them --------------------------------------------------------------------------------------------------------

local function main(arguments)
  local as_json, patterns = false, {}
  for _, a in ipairs(arguments) do
    if a == "--json" then as_json = true
    elseif a == "--list" then
      for _, c in ipairs(cases) do print(c.name) end
      return
    else patterns[#patterns + 1] = a end
  end
  local all, groups = {}, {}
  local function keep(rows)
    for _, row in ipairs(rows) do all[#all + 1] = row end
    if as_json then print_json(rows) end
  end
  for _, c in ipairs(choose(patterns)) do
    measure.note("%s ...", c.name)
    local rows = c.run(c.name)
    keep(rows)
    if c.group then
      local group = groups[c.group] or { cases = 0, rows = {} }
      groups[c.group] = group
      group.cases = group.cases + 1
      for _, row in ipairs(rows) do group.rows[#group.rows + 1] = row end
      if group.cases == group_size(c.group) then keep(measure.mean(c.group .. "/mean", group.rows)) end
    end
  end
  if not as_json then print_table(all) end
end

local ok, message = pcall(main, arg)
process.finish()
if not ok then error(message, 0) end
