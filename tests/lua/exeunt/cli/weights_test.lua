-- cli/weights.lua: the list of a file, what of it fits a model, and its import; each way to ask wrongly is one line.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"
local json = require "exeunt.report.json"
local safetensors = require "exeunt.safetensors"
local command = dofile "tests/support/command.lua"

TestCommand = {}

local MODEL = "resnet blocks=1,1 widths=4,8 input=3,8,8 classes=5"

local function resnet(classes)
  return ex.models.resnet { blocks = { 1, 1 }, widths = { 4, 8 }, input = { 3, 8, 8 }, classes = classes, seed = 4 }
end

function TestCommand:setUp()
  self.folder = command.folder()
  self.file, self.out = self.folder .. "/w.safetensors", self.folder .. "/net.safetensors"
  safetensors.write(self.file, nets.tensors(resnet(5)), { model = "small" })
end

function TestCommand:tearDown() command.remove(self.folder) end

-- run(arguments) -> { code =, out =, err = }; "FILE" and "OUT" stand for the paths.
function TestCommand:run(arguments)
  return command.run("weights " .. arguments:gsub("FILE", self.file):gsub("OUT", self.out))
end

function TestCommand:test_the_list()
  safetensors.write(self.file, { a = ex.tensor.zeros { 2, 3 }, b = ex.tensor({ 1 }, "uint8") }, { model = "small" })
  local result = self:run "FILE"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertEquals(result.out, "model: small\n\ntensor  shape   type\n------  ------  ----\na       (2, 3)  F32\nb       (1)     U8\n"
                              .. "\n2 tensors, 7 numbers, 25 B\n")
  result = self:run "FILE --json"
  local doc = json.decode(result.out)
  lu.assertEquals({ doc.numbers, doc.bytes, doc.metadata.model }, { 7, 25, "small" })
  lu.assertEquals(doc.tensors[1], { name = "a", shape = { 2, 3 }, type = "F32" })
end

function TestCommand:test_a_file_that_fits()
  local result = self:run("FILE --check " .. MODEL)
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  local count = 0
  for _ in pairs(nets.tensors(resnet(5))) do count = count + 1 end
  lu.assertEquals(result.out, ("%s: %d tensors fit resnet\n"):format(self.file, count))
  local doc = json.decode(self:run("FILE --json --check " .. MODEL).out)
  lu.assertEquals({ doc.fits, #doc.loaded, doc.missing, doc.model }, { true, count, {}, "resnet" })
end

function TestCommand:test_a_file_that_does_not_fit()
  local result = self:run("FILE --check resnet blocks=1,1 widths=4,8 input=3,8,8 classes=7")
  lu.assertEquals(result.code, 1)
  lu.assertStrContains(result.out, "of another shape: 2\n")
  lu.assertStrMatches(result.out, ".*\nfc%.weight +%(5, 8%) +%(7, 8%)\n.*")
  lu.assertStrMatches(result.err, "exeunt: .* does not fit resnet: 2 misshapen: [^\n]*\n")
  result = self:run("FILE --json --check resnet blocks=1,2 widths=4,8 input=3,8,8 classes=5")
  local doc = json.decode(result.out)
  lu.assertEquals({ result.code, doc.fits, #doc.missing, doc.extra, doc.misshapen }, { 1, false, 10, {}, {} })
end

function TestCommand:test_import()
  local result = self:run("FILE --import OUT --check " .. MODEL)
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertStrContains(result.out, "written: " .. self.out)
  local x = ex.tensor.normal({ 2, 3, 8, 8 }, 0, 1, { seed = 1, stream = "x" })
  lu.assertEquals(ex.load(self.out):forward(x):to_list(), resnet(5):forward(x):to_list())
end

function TestCommand:test_import_of_what_does_not_fit()
  local other = "FILE --check resnet blocks=1,1 widths=4,8 input=3,8,8 classes=7 --import OUT"
  local result = self:run(other)
  lu.assertEquals(result.code, 1)
  lu.assertStrContains(result.err, "; nothing was written (--partial imports what fits)\n")
  lu.assertNil(io.open(self.out, "r"))
  result = self:run(other .. " --partial")
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  local net = ex.load(self.out)
  lu.assertEquals(net.classes, 7)
  lu.assertEquals(net.graph:tensor "conv1.weight":to_list(), resnet(5).graph:tensor "conv1.weight":to_list())
end

function TestCommand:test_fine_tuning()
  local result = self:run "FILE --fine-tune --check resnet blocks=1,1 widths=4,8 input=1,8,8 classes=7 --import OUT"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertStrContains(result.out, "new in the model: 7\n")
  local net = ex.load(self.out)
  lu.assertEquals(net.input, { 1, 8, 8 })
  lu.assertEquals(net.graph:tensor "layer1.0.conv1.weight":to_list(), resnet(5).graph:tensor "layer1.0.conv1.weight":to_list())
end

function TestCommand:test_asked_wrongly()
  local cases = {
    { "", 2, "weights: missing argument 'file'" },
    { "FILE --chek resnet", 2, "unknown option '--chek'" },
    { "FILE --check resnett", 2, "there is no model 'resnett'; did you mean 'resnet'?" },
    { "FILE --check zzzzzzzzz", 2, "there is no model 'zzzzzzzzz'; there are " },
    { "FILE --check resnet class=3", 1, "unknown option 'class'; did you mean 'classes'?" },
    { "FILE --check resnet 3", 2, "'3' is not of the form option=value" },
    { "FILE --check resnet classes=3 classes=4", 2, "the option classes is given twice" },
    { "FILE --check resnet input=3,x", 2, "'3,x' is not a list of numbers" },
    { "FILE classes=3", 2, "'classes=3' is an option of a model: give --check MODEL too" },
    { "FILE --import OUT", 2, "--import needs --check MODEL" },
    { "FILE --check resnet --partial", 2, "give --import OUT too" },
    { "FILE --check resnet --stem all", 2, "--stem needs --fine-tune" },
    { "FILE --check resnet --fine-tune --stem most", 2, "--stem must be all or convolution, got 'most'" },
    { "FILE --check resnet --import FILE", 2, "would replace" },
    { "OUT", 1, "No such file or directory" },
    { "README.md", 1, "README.md: not a safetensors file" },
  }
  for _, case in ipairs(cases) do
    local result = self:run(case[1])
    lu.assertEquals({ result.code, result.out }, { case[2], "" }, case[1])
    lu.assertStrContains(result.err, case[3])
    lu.assertStrMatches(result.err, "exeunt: [^\n]+\n")
  end
end

function TestCommand:test_help()
  local result = self:run "--help"
  lu.assertEquals(result.code, 0)
  lu.assertStrContains(result.out, "--fine-tune")
  lu.assertStrContains(command.run("help").out, "weights FILE")
end

os.exit(lu.LuaUnit.run())
