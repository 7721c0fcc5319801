-- report/run/init.lua: the report of a run: what its document (run.json) and its log (log.jsonl) say, as facts and figures.
-- Each figure is a file of this folder: function(view) -> figure, a list of figures, or nil where the run has nothing for it.
-- A run that has not finished has its log's figures alone.

local scale = require "exeunt.report.scale"

-- In the order in which a person reads them.
local figures = { "networks", "subsets", "cells", "paper", "accuracy", "loss", "trainings", "rate", "reported" }

local run = {}

local MOST_APART = 4                        -- trainings up to which each has figures of its own

-- view(document, log): { document, trainings = { { name, lines } in order }, apart = whether each has its own figures, reported }.
local function view_of(document, log)
  local view = { document = document, trainings = {}, reported = {} }
  local by_name = {}
  for _, line in ipairs(log) do
    if line.epoch and type(line.exits) == "table" then
      local name = tostring(line.train or "train1")
      if not by_name[name] then
        by_name[name] = { name = name, lines = {} }
        table.insert(view.trainings, by_name[name])
      end
      table.insert(by_name[name].lines, line)
    else table.insert(view.reported, line) end
  end
  view.apart = #view.trainings <= MOST_APART
  return view
end

local function knob_text(v)
  if type(v) ~= "table" then return type(v) == "number" and scale.number_text(v) or tostring(v) end
  local parts = {}
  for i, x in ipairs(v) do parts[i] = knob_text(x) end
  return table.concat(parts, ",")
end

local function knobs_text(knobs)
  local names, parts = {}, {}
  for name in pairs(knobs or {}) do if name ~= "seed" then names[#names + 1] = name end end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = ("%s=%s"):format(name, knob_text(knobs[name])) end
  return #parts > 0 and table.concat(parts, "  ") or nil
end

local function time_text(doc)
  local t = type(doc.train) == "table" and doc.train or {}
  if not t.seconds then return nil end
  return ("%s for %s epoch%s%s"):format(require("exeunt.report.progress").duration(t.seconds), scale.number_text(t.epochs or 0),
    t.epochs == 1 and "" or "s", t.images_per_s and (", %.0f images a second"):format(t.images_per_s) or "")
end

-- Numbers of the document that no figure knows: of a recipe that returns a plain table.
local KNOWN = { seed = true, left_out = true }

local function other_numbers(doc)
  local names, rows = {}, {}
  for name, x in pairs(doc) do
    if type(x) == "number" and not KNOWN[name] then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do rows[i] = { name, doc[name] } end
  if #rows == 0 then return nil end
  return { title = "Results", columns = { "name", { title = "value", format = scale.number_text } }, rows = rows }
end

local function facts_of(doc, folder)
  local e = doc.environment or {}
  local finished = doc.exits or doc.cells or doc.table or other_numbers(doc)
  return {
    { "recipe", doc.recipe }, { "seed", doc.seed and scale.number_text(doc.seed) }, { "knobs", knobs_text(doc.knobs) },
    { "folder", folder }, { "training", time_text(doc) },
    { "machine", e.cpu and ("%s, kernels %s, %s thread%s"):format(e.cpu, e.isa or "?", scale.number_text(e.threads or 0),
                                                               e.threads == 1 and "" or "s") },
    { "engine", e.version and ("exeunt %s, %s"):format(e.version, e.luajit or "") },
    { "state", not finished and "not finished: what there is so far" or nil },
  }
end

local function sentences(doc)
  if not (doc.exits and doc.full and doc.vote and doc.subsets) then return {} end
  return require("exeunt.report.outcome").sentences(doc)
end

-- report(document, log, folder) -> { kind, title, facts, sentences, figures, tables }: document and the log's lines as plain tables.
function run.report(document, log, folder)
  local view = view_of(document, log)
  local out = { kind = "run", title = document.recipe or folder, facts = facts_of(document, folder), figures = {}, tables = {},
                sentences = sentences(document) }
  require("exeunt.report.collect")(out.figures, "exeunt.report.run.", figures, view)
  out.tables[1] = other_numbers(document)
  return out
end

return run
