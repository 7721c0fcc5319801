-- cli/weights.lua: `exeunt weights FILE` lists the tensors of a safetensors file; `--check MODEL [classes=10 input=3,32,32]` says
-- what of them fits a model of ex.models, name by name; `--import OUT` writes that model with these weights as a network file.
-- It trains nothing and downloads nothing. Exit code 1 where the file is none, or does not fit.

local tables = require "exeunt.report.table"
local usage = require "exeunt.cli.usage"

local command = { about = "list, check or import weights", usage = "FILE [--check MODEL]" }

local BITS = { F32 = 32, I32 = 32, U32 = 32, F64 = 64, I64 = 64, U64 = 64, C64 = 64, F16 = 16, BF16 = 16, I16 = 16, U16 = 16,
               F4 = 4, F6_E2M3 = 6, F6_E3M2 = 6 }                   -- the others have 8

local function shape_text(shape) return "(" .. table.concat(shape, ", ") .. ")" end

local function plural(n, one) return ("%s %s%s"):format(tables.count(n), one, n == 1 and "" or "s") end

-- -- The list ----------------------------------------------------------------------------------------------------

-- { file, metadata, tensors = { { name, shape, type } }, numbers, bytes } of a file.
local function contents(path)
  local file = require("exeunt.safetensors").open(path)
  local c = { file = path, metadata = file.metadata, tensors = {}, numbers = 0, bytes = 0 }
  for i, name in ipairs(file.names) do
    local count, kind = 1, file.types[name]
    for _, d in ipairs(file.shapes[name]) do count = count * d end
    c.tensors[i] = { name = name, shape = file.shapes[name], type = kind }
    c.numbers, c.bytes = c.numbers + count, c.bytes + math.ceil(count * (BITS[kind] or 8) / 8)
  end
  file:free()
  return c
end

-- Metadata that fits on a line: a network's description or a training's record does not.
local function short_metadata(metadata)
  local lines = {}
  for _, key in ipairs(require("exeunt.options").sorted_keys(metadata)) do
    local text = metadata[key]
    if #text > 100 or text:find "%c" then text = ("(%s of text)"):format(tables.bytes(#text)) end
    lines[#lines + 1] = ("%s: %s\n"):format(key, text)
  end
  return #lines > 0 and table.concat(lines) .. "\n" or ""
end

local function list_text(c)
  local rows = {}
  for i, t in ipairs(c.tensors) do rows[i] = { t.name, shape_text(t.shape), t.type } end
  return short_metadata(c.metadata) .. tables.render({ "tensor", "shape", "type" }, rows)
    .. ("\n%s, %s, %s\n"):format(plural(#c.tensors, "tensor"), plural(c.numbers, "number"), tables.bytes(c.bytes))
end

-- -- A model ---------------------------------------------------------------------------------------------------

-- A model's option from its text: numbers, lists of numbers ("3,32,32"), true and false, otherwise a word.
local function value_of(text)
  if text == "true" or text == "false" then return text == "true" end
  if not text:find "," then return tonumber(text) or text end
  local list = {}
  for item in (text .. ","):gmatch "([^,]*)," do
    list[#list + 1] = tonumber(item) or usage.fail("weights: '%s' is not a list of numbers", text)
  end
  return list
end

local function settings_of(list)
  local settings = {}
  for _, text in ipairs(list) do
    local name, value = text:match "^([%a_][%w_]*)=(.+)$"
    if not name then usage.fail("weights: '%s' is not of the form option=value", text) end
    if settings[name] ~= nil then usage.fail("weights: the option %s is given twice", name) end
    settings[name] = value_of(value)
  end
  return settings
end

local function build(model, settings)
  local models = require "exeunt.models"
  local make = rawget(models, model)
  if type(make) ~= "function" then
    local names = require("exeunt.options").sorted_keys(models)
    usage.fail("weights: there is no model '%s'%s", model, usage.suggest(model, names, "; there are " .. table.concat(names, ", ")))
  end
  return make(settings)
end

-- What becomes of each kind of name: { field of the report, heading, columns, row }.
local LISTS = {
  { "missing", "missing in the file", { "tensor", "shape" }, function(x) return { x.name, shape_text(x.shape) } end },
  { "extra", "only in the file", { "tensor", "shape", "type" }, function(x) return { x.name, shape_text(x.shape), x.type } end },
  { "misshapen", "of another shape", { "tensor", "in the file", "in the model" },
    function(x) return { x.name, shape_text(x.got), shape_text(x.expected) } end },
  { "kept", "new in the model", { "tensor" }, function(name) return { name } end },
  { "unused", "the file's classifier, not used", { "tensor" }, function(name) return { name } end },
}

local function check_text(report, model)
  local count = #report.loaded
  local parts = { ("%s: %s %s %s\n"):format(report.file, plural(count, "tensor"), count == 1 and "fits" or "fit", model) }
  for _, list in ipairs(LISTS) do
    local field, heading, columns, row = unpack(list)
    if #report[field] > 0 then
      local rows = {}
      for i, x in ipairs(report[field]) do rows[i] = row(x) end
      parts[#parts + 1] = ("\n%s: %d\n%s"):format(heading, #rows, tables.render(columns, rows))
    end
  end
  return table.concat(parts)
end

-- The report on a model, and the network with what fits in it.
local function check(given)
  local weights = require "exeunt.weights"
  local net = build(given.check, settings_of(given.settings))
  if given.fine_tune then return weights.fine_tune(net, given.file, { partial = true, stem = given.stem }), net end
  if not given.import then return weights.compare(net, given.file), net end
  local report = weights.compare(net, given.file)
  if given.partial or not report:complaint() then weights.load(net, given.file, { partial = given.partial }) end
  return report, net
end

-- -- JSON ----------------------------------------------------------------------------------------------------------

local ORDER = { "file", "model", "fits", "import", "loaded", "missing", "extra", "misshapen", "kept", "unused", "metadata", "tensors",
                "numbers", "bytes", "name", "shape", "type", "expected", "got" }

-- The document: lists stay lists, empty ones too.
local function as_json(document)
  local json = require "exeunt.report.json"
  local function listed(list)
    local out = json.list {}
    for i, x in ipairs(list) do
      out[i] = x
      if type(x) == "table" then
        out[i] = {}
        for k, v in pairs(x) do out[i][k] = type(v) == "table" and json.list { unpack(v) } or v end
      end
    end
    return out
  end
  local out = {}
  for k, v in pairs(document) do
    if k == "metadata" or type(v) ~= "table" then out[k] = v else out[k] = listed(v) end
  end
  return json.encode(out, ORDER, "weights") .. "\n"
end

-- -- The command ---------------------------------------------------------------------------------------------------

local function parser()
  local p = usage.parser("weights", "Lists the tensors of a safetensors file; with --check, says which of them fit a model of "
    .. "ex.models, whose names are torchvision's. bench/peers/export_weights.py writes such a file where PyTorch is.")
  p:argument("file", "The safetensors file.")
  p:argument("settings", "Options of the model, as option=value: classes=10, input=3,32,32."):args "*":argname "option=value"
  p:option("--check", "Say what fits this model: names missing, extra, or of another shape."):argname "MODEL"
  p:option("--import", "Write the model with these weights as a network file; needs --check."):argname "OUT"
  p:flag("--partial", "Import whatever fits; the rest of the model stays new.")
  p:flag("--fine-tune", "Take the trunk alone: its stem and the classifier stay new, as in fine-tuning.")
  p:option("--stem", "With --fine-tune, what of the stem stays new: all of it (its batch norm too), or its convolution.", nil,
    function(text)
      if text == "all" or text == "convolution" then return text end
      return nil, ("--stem must be all or convolution, got '%s'"):format(text)
    end):argname "WHAT"
  p:flag("--json", "Print one JSON document instead of the tables.")
  return p
end

local function check_options(given)
  if not given.check then
    for _, option in ipairs { "import", "partial", "fine_tune", "stem" } do
      if given[option] then usage.fail("weights: --%s needs --check MODEL", (option:gsub("_", "-"))) end
    end
    if #given.settings > 0 then
      usage.fail("weights: '%s' is an option of a model: give --check MODEL too", given.settings[1])
    end
  end
  if given.partial and not given.import then usage.fail("weights: --partial says how to import: give --import OUT too") end
  if given.stem and not given.fine_tune then usage.fail("weights: --stem needs --fine-tune") end
  if given.import and given.import == given.file then usage.fail("weights: --import would replace %s itself", given.file) end
end

local function describe(given)
  local c = contents(given.file)
  usage.write(io.stdout, given.json and as_json(c) or list_text(c))
end

function command.main(args)
  local given = usage.parse("weights", parser(), args)
  check_options(given)
  require("exeunt.signals").install "now"
  if not given.check then return describe(given) end
  local report, net = check(given)
  local complaint = report:complaint()
  local written = given.import and (given.partial or not complaint)
  if written then net:save(given.import) end
  local document = { model = given.check, fits = not complaint, import = written and given.import or nil }
  for k, v in pairs(report) do document[k] = v end
  usage.write(io.stdout, given.json and as_json(document)
    or check_text(report, given.check) .. (written and ("\nwritten: %s\n"):format(given.import) or ""))
  if complaint and not written then
    error(("%s does not fit %s: %s%s"):format(given.file, given.check, complaint,
                                             given.import and "; nothing was written (--partial imports what fits)" or ""), 0)
  end
end

return command
