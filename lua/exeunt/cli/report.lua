-- cli/report.lua: `exeunt report RUN-OR-STUDY`: a run's folder or a study of a store as one HTML file, as pictures or as JSON. What is
-- in it is lua/exeunt/report/'s.

local file = require "exeunt.file"
local usage = require "exeunt.cli.usage"

local command = { about = "write a report of a run or a study: one HTML file", usage = "RUN-OR-STUDY" }

local Store = require "exeunt.search.store"

local FORMATS = { html = true, svg = true, png = true, pdf = true }

local function parser()
  local p = usage.parser("report", "Writes one HTML file about a run (its folder) or a study of a store (its name): figures, and their "
    .. "numbers as tables. It opens without network. Figures are drawn by gnuplot (package gnuplot-nox).")
  p:argument("RUN-OR-STUDY", "A run's folder, or a study's name."):target "what"
  p:option("--store", ("Where studies are: a file, or postgresql://...; %s if not given."):format(Store.default)):argname "ADDRESS"
  p:option("--out", "The file; RUN/report.html, or report-STUDY.html, if not given. For pictures: a folder."):argname "FILE"
  p:option("--format", "html, or each figure as a picture of its own: svg, png or pdf.", "html", function(text)
    if FORMATS[text] then return text end
    return nil, ("--format must be html, svg, png or pdf, got '%s'"):format(text)
  end):argname "FORMAT"
  p:option("--figure", "With pictures, this figure alone; --out is then a file."):argname "NAME"
  p:flag("--json", "Print all of it as one JSON document; a file is then written only with --out.")
  return p
end

-- -- What is reported ------------------------------------------------------------------------------------------------

local function study_names(store)
  local names = {}
  for i, study in ipairs(store:studies()) do names[i] = study.name end
  return names
end

-- The report of a study in the store at address; what: what was asked for, a study's name or its file.
local function of_study(name, address, what)
  if not address:match "^%w+://" and file.kind(address) ~= "file" and not file.kind(file.real(address) .. ".jsonl") then
    usage.fail("report: there is no run %s, and no store %s to look for a study in%s", what, address,
               address == Store.default and " (say which with --store)" or "")
  end
  local store = Store.open(address, { read = true })
  local ok, result = pcall(function()
    local study = store:study(name)
    if not study then
      usage.fail("report: there is no run %s, and no study %s in %s%s", what, name, address,
                 require("exeunt.options").suggest(name, study_names(store), require("exeunt.cli.stored").most))
    end
    return require("exeunt.report").of_study(study, (store:trials(study.id)))
  end)
  store:close()
  if not ok then error(result, 0) end
  return result
end

-- The report, and the file it goes to if nothing else is said.
local function find(given)
  local what = given.what:gsub("(.)/+$", "%1")
  if file.kind(what) == "file" and what:match "run%.json$" then what = what:match "^(.*)/run%.json$" or "." end
  if file.kind(what) == "folder" and not given.store then
    if file.kind(what .. "/run.json") ~= "file" then usage.fail("report: %s holds no run (no run.json in it)", what) end
    return require("exeunt.report").of_run(what), what .. "/report"
  end
  local name = file.kind(what) == "file" and (what:match "([^/]+)%.lua$" or what:match "([^/]+)%.ya?ml$") or what
  return of_study(name, given.store or Store.default, what), "report-" .. name:gsub("[^%w._-]", "_")
end

-- -- What is written -------------------------------------------------------------------------------------------------

local function names_of(figures)
  local names = {}
  for i, fig in ipairs(figures) do names[i] = fig.name end
  return names
end

local function chosen(report, name)
  if not name then return report.figures end
  for _, fig in ipairs(report.figures) do
    if fig.name == name then return { fig } end
  end
  usage.fail("report: there is no figure '%s'%s", name, require("exeunt.options").suggest(name, names_of(report.figures)))
end

local function say(paths)
  for _, path in ipairs(paths) do usage.write(io.stdout, path .. "\n") end
end

-- Pictures of the figures, one file each; gives their names.
local function write_pictures(report, given, default)
  local figures = chosen(report, given.figure)
  if #figures == 0 then usage.fail("report: there is nothing to draw yet") end
  local pictures = require("exeunt.report.figure").render(figures, given.format)
  local paths = {}
  for i, fig in ipairs(figures) do
    paths[i] = given.figure and given.out or ("%s/%s.%s"):format(given.out or default, fig.name, given.format)
    file.make_folder(paths[i]:match "^(.*)/[^/]*$" or ".")
    file.write(paths[i], pictures[i])
  end
  return paths
end

local function write_page(report, path)
  if file.kind(path) == "folder" then path = path:gsub("/+$", "") .. "/report.html" end
  file.make_folder(path:match "^(.*)/[^/]*$" or ".")
  file.write(path, require("exeunt.report").html(report))
  return { path }
end

function command.main(args)
  local given = usage.parse("report", parser(), args)
  if given.figure and given.format == "html" then usage.fail("report: --figure goes with --format svg, png or pdf") end
  require("exeunt.signals").install "now"
  local report, default = find(given)
  local paths
  if given.out or not given.json then
    paths = given.format == "html" and write_page(report, given.out or default .. ".html") or write_pictures(report, given, default)
  end
  if given.json then usage.write(io.stdout, require("exeunt.report").document(report))
  else say(paths) end
end

return command
