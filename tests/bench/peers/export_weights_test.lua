-- bench/peers/export_weights.py: what it writes of a torchvision model is read here, name by name; the network computes what
-- torchvision's does; wrong requests are one line. Skipped where there is no PyTorch.

local lu = require "luaunit"
local ex = require "exeunt"
local safetensors = require "exeunt.safetensors"
local command = dofile "tests/support/command.lua"

local PYTHON, SCRIPT = "/usr/bin/python3", "bench/peers/export_weights.py"
local found = command.shell(PYTHON .. " -c 'import torch, torchvision'").code == 0

TestExport = {}

function TestExport:setUp()
  lu.skipIf(not found, "torch and torchvision are not there")
  self.folder = command.folder()
end

function TestExport:tearDown()
  if self.folder then command.remove(self.folder) end
end

-- export(arguments) -> { code =, out =, err = }; "DIR" stands for the test's folder.
function TestExport:export(arguments)
  return command.shell(("TORCH_HOME=%s %s %s %s"):format(self.folder, PYTHON, SCRIPT, (arguments:gsub("DIR", self.folder))))
end

function TestExport:python(text)
  local path = self.folder .. "/script.py"
  command.write(path, (text:gsub("DIR", self.folder)))
  local result = command.shell(PYTHON .. " " .. path)
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  os.remove(path)
end

-- A ResNet-18 of torchvision's, stirred, as .pth; 3 classes, one channel, so that the files stay small in no way that matters.
local LOGITS = [[
import torch, torchvision
torch.manual_seed(3)
net = torchvision.models.resnet18(num_classes=3)
for name, t in net.state_dict().items():
    if t.dim() == 1:
        t.uniform_(0.5, 1.5)
x = torch.rand(2, 3, 64, 64)
net.eval()
torch.save({"state_dict": {"module." + k: v for k, v in net.state_dict().items()}}, "DIR/net.pth")
open("DIR/x", "wb").write(x.numpy().tobytes())
open("DIR/y", "wb").write(net(x).detach().numpy().tobytes())
]]

-- The float32 numbers of a file as a tensor.
local function floats(path, shape)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "*a"
  file:close()
  local t = ex.tensor.zeros(shape)
  require("exeunt.core").ffi.copy(t:data(), bytes, #bytes)
  return t
end

function TestExport:test_the_same_logits()
  self:python(LOGITS)
  local result = self:export "resnet18 DIR/w.safetensors --weights DIR/net.pth"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertStrContains(result.out, "122 tensors, 11,187,671 numbers")
  local net = ex.models.resnet { input = { 3, 64, 64 }, classes = 3, blocks = { 2, 2, 2, 2 }, widths = { 64, 128, 256, 512 },
                                 stem = "imagenet" }
  local report = ex.weights.load(net, self.folder .. "/w.safetensors")
  lu.assertEquals(#report.loaded, 102)
  local got, want = net:forward(floats(self.folder .. "/x", { 2, 3, 64, 64 })), floats(self.folder .. "/y", { 2, 3 })
  lu.assertTrue((got - want):abs():max() <= 1e-4 * want:abs():max(), tostring(got) .. tostring(want))
end

function TestExport:test_types()
  self:python [=[
import torch, torchvision
net = torchvision.models.mobilenet_v3_small(num_classes=2)
state = net.state_dict()
names = list(state)
state[names[0]] = torch.full_like(state[names[0]], 0.5).half()
state[names[1]] = torch.full_like(state[names[1]], -1.5).bfloat16()
state[names[2]] = torch.full_like(state[names[2]], 0.1).double()
torch.save(state, "DIR/net.pth")]=]
  local result = self:export "mobilenet_v3_small DIR/w.safetensors --weights DIR/net.pth"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  local file = safetensors.open(self.folder .. "/w.safetensors")
  local names = { "features.0.0.weight", "features.0.1.weight", "features.0.1.bias" }
  lu.assertEquals({ file.types[names[1]], file.types[names[2]], file.types[names[3]] }, { "F16", "BF16", "F32" })
  lu.assertEquals(file:read(names[1]):max(), 0.5)
  lu.assertEquals(file:read(names[2]):min(), -1.5)
  lu.assertAlmostEquals(file:read(names[3]):max(), 0.1, 1e-7)
  lu.assertEquals({ file.metadata.model, file.metadata.weights }, { "mobilenet_v3_small", "net.pth" })
  file:free()
end

-- The first DenseNets' names.
function TestExport:test_old_names()
  self:python [=[
import re, torch, torchvision
state = torchvision.models.densenet121(num_classes=2).state_dict()
torch.save({re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", k): v for k, v in state.items()
            if not k.endswith("num_batches_tracked")}, "DIR/net.pth")]=]
  local result = self:export "densenet121 DIR/w.safetensors --weights DIR/net.pth"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertEquals(safetensors.open(self.folder .. "/w.safetensors").shapes["features.denseblock1.denselayer1.norm1.weight"], { 64 })
end

function TestExport:test_asked_wrongly()
  self:python [=[
import torch
torch.save({"conv1.weight": torch.zeros(2), "x": torch.zeros(1)}, "DIR/other.pth")
torch.save([1, 2], "DIR/list.pth")
open("DIR/text.pth", "w").write("no weights")]=]
  local cases = {
    { "resnet9 DIR/w", "torchvision has no model 'resnet9'" },
    { "resnet18 DIR/w --weights DIR/none.pth", "none.pth" },
    { "resnet18 DIR/w --weights DIR/text.pth", "text.pth as a state_dict of tensors: " },
    { "resnet18 DIR/w --weights DIR/list.pth", "list.pth holds no state_dict (names with tensors)" },
    { "resnet18 DIR/w --weights DIR/other.pth", "other.pth is not for resnet18: 101 missing: bn1.weight, " },
    { "resnet18 DIR/w --weights NO_SUCH", "torchvision has no weights 'NO_SUCH' for resnet18" },
    { "squeezenet1_1 DIR/none/w --random 1", "none/w: No such file or directory" },
  }
  for _, case in ipairs(cases) do
    local result = self:export(case[1])
    lu.assertEquals({ result.code, result.out }, { 1, "" }, case[1])
    lu.assertStrMatches(result.err, "export_weights: [^\n]+\n")
    lu.assertStrContains(result.err, case[2])
  end
  lu.assertNil(io.open(self.folder .. "/w", "rb"))
end

os.exit(lu.LuaUnit.run())
