-- cli/data.lua: `exeunt data` lists the data sets that are known and says which are here; `exeunt data NAME` compares a
-- set's files with their checksums; `exeunt data fetch NAME` downloads it. Exit code 1 where the named set is missing,
-- damaged or cannot be fetched.

local json = require "exeunt.report.json"
local tables = require "exeunt.report.table"
local term = require "exeunt.report.term"
local usage = require "exeunt.cli.usage"

local command = { about = "the data sets known, those here; verify one", usage = "[fetch] [NAME]" }

-- The list, and below it how to get what is missing.
local function overview(sets)
  local rows, missing = {}, {}
  for i, set in ipairs(sets) do
    rows[i] = { set.name, set.here and "here" or set.problem and "broken" or "missing", set.about or set.problem, set.folder }
    if set.get and not set.here then missing[#missing + 1] = ("%s: %s\n"):format(set.name, set.get) end
  end
  local columns = { "data set", "", { title = "", least = 30 }, { title = "folder", least = 12 } }
  return (tables.render(columns, rows, term.room())) .. (#missing > 0 and "\n" or "") .. table.concat(missing)
end

local function judgement(f)
  if f.ok then return #f.expected > 0 and "right" or "no checksum known" end
  return "damaged or another file"
end

-- One set with the judgement of each file.
local function details(set)
  local lines = { ("%s: %s\n"):format(set.name, set.about) }
  for _, key in ipairs { "source", "licence", "folder" } do
    if set[key] then lines[#lines + 1] = ("%s: %s\n"):format(key, set[key]) end
  end
  local rows = {}
  for i, f in ipairs(set.files) do rows[i] = { f.role, f.path, f.algorithm, f.actual, judgement(f) } end
  if #rows > 0 then lines[#lines + 1] = "\n" .. tables.render({ "part", "file", "sum", "", "" }, rows) end
  return table.concat(lines)
end

-- Why a verified set cannot be used, in one line.
local function complaint(set)
  if not set.here then return ("data set '%s' is missing: %s"):format(set.name, set.get or set.missing) end
  for _, f in ipairs(set.files) do
    if not f.ok then return ("data set '%s': %s is damaged or another file"):format(set.name, f.path) end
  end
end

-- A set as --json shows it: what data.list and data.verify give.
local function document(set)
  local out = { files = json.list(set.files), looked_in = json.list(set.looked_in or {}) }
  for k, v in pairs(set) do out[k] = out[k] or v end
  for i, f in ipairs(set.files) do
    local shown = { expected = json.list(f.expected) }
    for _, k in ipairs { "role", "name", "path", "algorithm", "actual", "ok" } do shown[k] = f[k] end
    out.files[i] = shown
  end
  return out
end

local order = { "name", "about", "here", "ok", "folder", "missing", "problem", "source", "licence", "get", "looked_in", "files", "role",
                "path", "algorithm", "expected", "actual" }

local function print_json(x) usage.write(io.stdout, json.encode(x, order, "data") .. "\n") end

function command.main(args)
  local parser = usage.parser("data", "Lists the data sets that are known and here; with a name, verifies its files.")
  parser:argument("name", "A data set, or the path of a manifest; `fetch` before it downloads the set."):args "0-2"
  parser:flag("--json", "Print one JSON document: the sets, or the set named with its files verified.")
  local given = usage.parse("data", parser, args)
  local data = require "exeunt.data"
  require("exeunt.signals").install "now"
  local name, second = given.name[1], given.name[2]
  if name == "fetch" and second then
    local folder, fetched = require("exeunt.data.fetch").set(second)
    return usage.write(io.stdout, ("%s: %s in %s\n"):format(second, fetched and "fetched, and is now" or "is here already", folder))
  end
  if name == "fetch" then usage.fail("data: fetch: which data set?") end
  if second then usage.fail("data: one data set at a time, got '%s' and '%s'", name, second) end
  if not name then
    local sets = data.list()
    if not given.json then return usage.write(io.stdout, overview(sets)) end
    for i, set in ipairs(sets) do sets[i] = document(set) end
    return print_json(json.list(sets))
  end
  local set = data.verify(name)
  if given.json then print_json(document(set)) else usage.write(io.stdout, details(set)) end
  if not set.ok then error(complaint(set), 0) end
end

return command
