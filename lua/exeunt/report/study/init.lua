-- report/study/init.lua: the report of a study: its document and its trials (search/store.lua) as facts, figures and tables. Each
-- figure is a file of this folder: function(view) -> figure, a list of figures, or nil where the study has nothing for it.

local json = require "exeunt.report.json"
local knob = require "exeunt.report.study.knob"
local scale = require "exeunt.report.scale"
local search = require "exeunt.search.front"

-- In the order in which a person reads them.
local figures = { "history", "front", "importance", "parallel", "slices", "curves" }

local study = {}

-- -- The view ---------------------------------------------------------------------------------------------------------

local function finite(x) return type(x) == "number" and x == x and math.abs(x) < math.huge end

-- { { path, maximize } ... } of a document's objective: a list of { maximize = path } or { minimize = path }, or both in one.
local function objectives_of(document)
  local given, out = document.objective or document.objectives or {}, {}
  for _, o in ipairs(given[1] and given or { given }) do
    for _, way in ipairs { "maximize", "minimize" } do
      if o[way] then out[#out + 1] = { path = tostring(o[way]), maximize = way == "maximize" } end
    end
    if o.path and o.direction then out[#out + 1] = { path = tostring(o.path), maximize = o.direction == "maximize" } end
  end
  if #out == 0 then out[1] = { path = "value", maximize = true } end
  return out
end

-- Whether a trial ended with a number for each objective.
local function scored(trial, objectives)
  if trial.state ~= "complete" then return false end
  for i = 1, #objectives do
    if not finite((trial.values or {})[i]) then return false end
  end
  return true
end

-- The better of two numbers of an objective.
local function is_better(objective, x, y)
  if objective.maximize then return x > y end
  return x < y
end

-- view(study, trials): { name, document, trials, objectives, knobs, done (complete, with all values, by number), ranked (the same that
-- keep the constraints, best first by objective 1), best, front (of several objectives), better(i, x, y), feasible(trial),
-- breaks(trial): complete, not feasible }.
local function view_of(given, trials)
  local document = given.document or {}
  local view = { name = given.name, document = document, trials = trials, objectives = objectives_of(document),
                 knobs = knob.list(document.space), done = {}, ranked = {} }
  local directions = {}
  for i, o in ipairs(view.objectives) do directions[i] = o.maximize and "maximize" or "minimize" end
  function view.better(i, x, y) return is_better(view.objectives[i], x, y) end
  view.feasible = search.feasible
  function view.breaks(t) return t.state == "complete" and not search.feasible(t) end
  for _, trial in ipairs(trials) do
    if scored(trial, view.objectives) then
      table.insert(view.done, trial)
      if search.feasible(trial) then table.insert(view.ranked, trial) end
    end
  end
  table.sort(view.ranked, function(a, b)
    if a.values[1] ~= b.values[1] then return view.better(1, a.values[1], b.values[1]) end
    return a.number < b.number
  end)
  view.best = view.ranked[1]
  view.front = search.of(view.ranked, directions)
  return view
end

-- -- Facts ------------------------------------------------------------------------------------------------------------

local function number_text(x) return scale.number_text(x) end

-- "tpe", "asha reduction=4" of what a document says of a sampler or a stopper.
local function named(x)
  if type(x) ~= "table" then return x end
  local parts, options = {}, x.options or {}
  for name in pairs(options) do parts[#parts + 1] = name end
  table.sort(parts)
  for i, name in ipairs(parts) do parts[i] = ("%s=%s"):format(name, knob.text(options[name])) end
  return ("%s%s%s"):format(tostring(x.name or "a function"), #parts > 0 and " " or "", table.concat(parts, " "))
end

local STATES = { "complete", "stopped", "failed", "running", "paused" }

-- "9: 6 complete, 3 of them breaking a constraint, 3 failed".
local function states_text(view)
  local count, broken, parts = {}, 0, {}
  for _, t in ipairs(view.trials) do
    count[t.state] = (count[t.state] or 0) + 1
    if view.breaks(t) then broken = broken + 1 end
  end
  for _, state in ipairs(STATES) do
    if count[state] then parts[#parts + 1] = ("%d %s"):format(count[state], state) end
  end
  if #parts == 0 then return "none yet" end
  if broken > 0 then parts[1] = ("%s, %d of them breaking a constraint"):format(parts[1], broken) end
  return ("%d: %s"):format(#view.trials, table.concat(parts, ", "))
end

local function budget_text(d)
  local b, parts = type(d.budget) == "table" and d.budget or d, {}
  for _, name in ipairs { "trials", "epochs", "seconds" } do
    if finite(b[name]) then parts[#parts + 1] = ("%s %s"):format(number_text(b[name]), name) end
  end
  return #parts > 0 and table.concat(parts, ", ") or nil
end

-- "epochs=2  seed=7" of knobs by name; nil for none.
local function fixed_text(fixed)
  local parts = {}
  for i, name in ipairs(require("exeunt.options").sorted_keys(fixed or {})) do parts[i] = ("%s=%s"):format(name, knob.text(fixed[name])) end
  return #parts > 0 and table.concat(parts, "  ") or nil
end

local function constraints_text(list)
  return type(list) == "table" and #list > 0 and table.concat(list, ", ") or nil
end

local function params_text(view, trial)
  local parts = {}
  for _, k in ipairs(view.knobs) do
    local value = (trial.params or {})[k.name]
    if value ~= nil then parts[#parts + 1] = ("%s=%s"):format(k.name, knob.text(value)) end
  end
  return table.concat(parts, "  ")
end

local function facts_of(view)
  local d, aims, seconds = view.document, {}, 0
  for i, o in ipairs(view.objectives) do aims[i] = ("%s %s"):format(o.maximize and "maximize" or "minimize", o.path) end
  for _, t in ipairs(view.trials) do seconds = seconds + (finite(t.seconds) and t.seconds or 0) end
  return {
    { "objective", table.concat(aims, ", ") }, { "constraints", constraints_text(d.constraints) }, { "fixed", fixed_text(d.fixed) },
    { "recipe", type(d.recipe) == "table" and d.recipe.path or d.recipe },
    { "sampler", named(d.sampler) }, { "stopper", named(d.stop or d.stopper) }, { "budget", budget_text(d) },
    { "seed", finite(d.seed) and number_text(d.seed) or nil }, { "trials", states_text(view) },
    { "time of all trials", seconds > 0 and require("exeunt.report.progress").duration(seconds) or nil },
  }
end

-- "17 complete trials", "17 complete trials that keep the constraints" where others do not.
local function counted_text(view)
  local n = #view.ranked
  return ("%d complete trial%s%s"):format(n, n == 1 and "" or "s",
    #view.done > n and (" that keep%s the constraints"):format(n == 1 and "s" or "") or "")
end

-- The best trial: its value, its point, its run, how to train it again.
local function best_sentences(view)
  local best = view.best
  local out = { ("The best of %s is trial %d: %s = %s."):format(counted_text(view), best.number, view.objectives[1].path,
                                                               number_text(best.values[1])), params_text(view, best) }
  local again = require("exeunt.search.again").command(view.document, best.params)
  if best.run_dir or again then
    out[3] = table.concat({ best.run_dir and ("Its run is in %s."):format(best.run_dir) or "",
                            again and "To train it again: " .. again or "" }, best.run_dir and again and " " or "")
  end
  return out
end

-- How many are on the front, and its ends: the best by each objective.
local function front_sentences(view)
  local front = view.front
  local out = { ("%d of %s %s on the Pareto front: no other beats %s in everything."):format(#front, counted_text(view),
    #front == 1 and "is" or "are", #front == 1 and "it" or "them") }
  for i, o in ipairs(view.objectives) do
    local first, values = front[1], {}
    for _, t in ipairs(front) do
      if view.better(i, t.values[i], first.values[i]) then first = t end
    end
    for k, other in ipairs(view.objectives) do values[k] = ("%s = %s"):format(other.path, number_text(first.values[k])) end
    out[#out + 1] = ("The best by %s is trial %d: %s; %s."):format(o.path, first.number, table.concat(values, ", "),
                                                                         params_text(view, first))
  end
  return out
end

local function sentences_of(view)
  if not view.best then
    return { #view.done > 0 and "No complete trial keeps the constraints." or "No trial is complete yet." }
  end
  local out = #view.objectives > 1 and front_sentences(view) or best_sentences(view)
  out[#out + 1] = require("exeunt.report.study.importance").why_not(view)
  return out
end

-- -- Tables -----------------------------------------------------------------------------------------------------------

local function trials_table(view)
  local columns, rows = { "trial", { title = "state", align = "left" } }, {}
  for _, o in ipairs(view.objectives) do columns[#columns + 1] = { title = o.path, format = number_text, align = "right" } end
  for _, k in ipairs(view.knobs) do
    columns[#columns + 1] = { title = k.name, format = number_text, align = k.kind ~= "choice" and "right" or nil }
  end
  columns[#columns + 1] = { title = "steps", align = "right" }
  columns[#columns + 1] = { title = "seconds", format = "%.1f", align = "right" }
  for i, t in ipairs(view.trials) do
    local row, n = { t.number, view.breaks(t) and "complete, breaks a constraint" or t.state }, 2
    for k = 1, #view.objectives do n, row[n + 1] = n + 1, (t.values or {})[k] end
    for _, k in ipairs(view.knobs) do
      local value = (t.params or {})[k.name]
      n, row[n + 1] = n + 1, type(value) == "number" and value or value ~= nil and knob.text(value) or nil
    end
    row[n + 1], row[n + 2] = #(t.steps or {}), t.seconds
    rows[i] = row
  end
  return { title = "Trials", columns = columns, rows = rows }
end

local function failures_table(view)
  local rows = {}
  for _, t in ipairs(view.trials) do
    if t.error or t.state == "failed" then
      rows[#rows + 1] = { t.number, t.state, t.attempts, t.error, t.run_dir }
    end
  end
  return #rows > 0 and { title = "Failures", rows = rows, columns = { "trial", "state", "attempts", { title = "error", wrap = true },
                                                                      { title = "folder", wrap = true } } } or nil
end

-- report(study, trials) -> { kind, title, facts, sentences, figures, tables }: study: { name, document }; trials as search/store.lua
-- gives them.
function study.report(given, trials)
  local view = view_of(json.plain(given), json.plain(trials))
  local out = { kind = "study", title = view.name, facts = facts_of(view), sentences = sentences_of(view), figures = {}, tables = {} }
  require("exeunt.report.collect")(out.figures, "exeunt.report.study.", figures, view)
  out.tables[1] = failures_table(view)
  if #view.trials > 0 then table.insert(out.tables, trials_table(view)) end
  return out
end

return study
