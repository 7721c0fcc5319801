-- Networks beside torchvision itself: tests/golden/models.py runs it and writes weights by torchvision's names, which are put in
-- by name, and every number of logits, gradients and statistics. Skipped where /usr/bin/python3 has no torchvision.
-- EXEUNT_PARITY names the networks, "all" takes the paper's eight; by default a few small ones.

package.path = "tests/support/?.lua;" .. package.path
local lu = require "luaunit"
local command = require "command"
local json = require "cjson"
local parity = require "parity"
local safetensors = require "exeunt.safetensors"

local EIGHT = "resnet50 vgg16 vgg16full densenet169 mobilenetv3small mobilenetv3smallfull efficientnetB5 efficientnetB5full"
local wanted = os.getenv "EXEUNT_PARITY" or "dense squeeze_relu squeeze_silu mobilenetv3small"
if wanted == "all" then wanted = EIGHT end

TestTorchvision = {}

local found = command.shell "/usr/bin/python3 -c 'import torchvision'".code == 0

-- Every parameter and buffer from the file by its name, and none left over.
local function fill(net, case, file)
  local prefix, left = case.name .. ".w.", {}
  for _, name in ipairs(file.names) do if name:sub(1, #prefix) == prefix then left[name] = true end end
  for _, v in ipairs(net.graph:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then
      net.graph:tensor(v):copy_(file:read(prefix .. v.name))
      left[prefix .. v.name] = nil
    end
  end
  lu.assertEquals(left, {})
end

local function compare(name)
  lu.skipIf(not found, "/usr/bin/python3 has no torchvision")
  local folder = command.folder()
  local made = command.shell(("/usr/bin/python3 tests/golden/models.py %s %s/net"):format(name, folder))
  lu.assertEquals(made.code, 0, made.err)
  local file = safetensors.open(folder .. "/net.safetensors")
  local case = json.decode(file.metadata.cases)[1]
  local function get(key) return file:read(key) end
  local net = parity.network(case)
  fill(net, case, file)
  parity.forward(net, case, get)
  local loss, result = parity.step(net, get(name .. ".x"), get(name .. ".y"))
  parity.loss(case, get, loss)
  local names, rows = parity.names(result), get(name .. ".step"):to_list()
  local allowed = parity.allowed(case, names, rows)
  for i, key in ipairs(names) do
    local expected = get(("%s.d.%s"):format(name, key))
    lu.assertEquals(result[key].shape, expected.shape, key)
    local off = (result[key] - expected):abs():max()
    lu.assertTrue(off <= allowed[i], ("%s: %s: off by %.3g, allowed %.3g"):format(name, key, off, allowed[i]))
  end
  file:free()
  command.remove(folder)
end

for name in wanted:gmatch "%S+" do TestTorchvision["test_" .. name] = function() compare(name) end end

os.exit(lu.LuaUnit.run())
