-- report/init.lua: a run's folder or a study of a store as a report, a plain table:
--     { kind = "run" or "study", title, facts = { { name, text }, ... }, sentences, figures (figure.lua), tables = { { title,
--       about, columns, rows }, ... } }
-- and what becomes of it: an HTML page, one document of JSON, or pictures. A new kind of report is a folder beside run/ and
-- study/ whose init.lua gives such a table.

local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"

local report = {}

-- The lines of a log as plain tables; what is no JSON (a line cut off) is left out.
local function read_log(path)
  local lines = {}
  if file.kind(path) ~= "file" then return lines end
  for text in file.read(path):gmatch "[^\n]+" do
    local ok, line = pcall(json.decode, text)
    if ok and type(line) == "table" then lines[#lines + 1] = json.plain(line) end
  end
  return lines
end

-- of_run(folder): the report of a run's folder (run.json and log.jsonl).
function report.of_run(folder)
  local path = folder .. "/run.json"
  local ok, document = pcall(json.decode, file.read(path))
  document = ok and json.plain(document)
  if type(document) ~= "table" then core.raise("%s: not the document of a run", path) end
  return require("exeunt.report.run").report(document, read_log(folder .. "/log.jsonl"), folder)
end

-- of_study(study, trials): study: { name, document }, trials: a list, as search/store.lua gives them.
function report.of_study(study, trials)
  return require("exeunt.report.study").report(study, trials)
end

-- html(r): the text of the page.
function report.html(r)
  return require("exeunt.report.page")(r, core.ffi.string(core.C.ex_version()))
end

-- -- As a document ---------------------------------------------------------------------------------------------------

-- Numbers and gaps of a series; a gap is null.
local function numbers(list)
  if not list then return nil end
  local out = json.list()
  for i = 1, #list do out[i] = list[i] or json.null end
  return out
end

-- A table as a list of objects by the columns' titles.
local function rows_document(t)
  local out = json.list()
  for i, row in ipairs(t.rows) do
    local object = {}
    for k, column in ipairs(t.columns) do
      local title = type(column) == "table" and (column.title or column[1]) or column
      if title ~= "" or row[k] ~= nil then object[title == "" and "note" or title] = row[k] end
    end
    out[i] = object
  end
  return out
end

local function figure_document(fig)
  local out = { name = fig.name, title = fig.title, about = fig.about, x = fig.x and fig.x.title, y = fig.y and fig.y.title,
                series = json.list(), numbers = fig.table and rows_document(fig.table) or nil }
  for i, s in ipairs(fig.series) do
    out.series[i] = { title = s.title, x = numbers(s.x), y = numbers(s.y), low = numbers(s.low), high = numbers(s.high) }
  end
  return out
end

local ORDER = { "kind", "title", "facts", "sentences", "name", "about", "x", "y", "series", "numbers", "figures", "tables" }

-- document(r): its text as JSON: { kind, title, facts, sentences, figures = [ { name, title, x, y, series, numbers } ], tables }.
function report.document(r)
  local out = { kind = r.kind, title = r.title, facts = {}, sentences = json.list(r.sentences), figures = json.list(),
                tables = json.list() }
  for _, fact in ipairs(r.facts or {}) do out.facts[fact[1]] = fact[2] end
  for i, fig in ipairs(r.figures) do out.figures[i] = figure_document(fig) end
  for i, t in ipairs(r.tables or {}) do out.tables[i] = { title = t.title, about = t.about, rows = rows_document(t) } end
  return json.encode(out, ORDER, "report") .. "\n"
end

return report
