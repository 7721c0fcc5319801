-- Whole networks with exits against PyTorch's logits, for weights that move by name (tests/golden/networks.py).

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"
local safetensors = require "exeunt.safetensors"

TestGoldenNetworks = {}

local golden = safetensors.read "tests/golden/networks.safetensors".tensors

-- Every parameter and buffer of the net from the file, and none left over.
local function fill(net, name)
  local prefix, used, there = name .. ".w.", 0, 0
  for _, v in ipairs(net.graph:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then
      net.graph:tensor(v):copy_(golden[prefix .. v.name] or error("PyTorch has no " .. v.name))
      used = used + 1
    end
  end
  for key in pairs(golden) do if key:sub(1, #prefix) == prefix then there = there + 1 end end
  lu.assertEquals(used, there)
end

local function compare(net, name)
  fill(net, name)
  local _, each = net:forward(golden[name .. ".x"])
  for i, e in ipairs(net.exits) do nets.close(lu, each[i], golden[("%s.%s"):format(name, e.name)], 2e-6) end
end

function TestGoldenNetworks.test_vgg()
  local options = { input = { 2, 8, 8 }, classes = 5, widths = { 3, 4 }, depths = { 1, 2 }, head = "flatten" }
  compare(ex.exits.anticipate(ex.models.vgg(options)), "vgg")
end

function TestGoldenNetworks.test_resnet()
  local options = { input = { 2, 8, 8 }, classes = 5, depth = 8, widths = { 3, 4, 5 } }
  compare(ex.exits.anticipate(ex.models.resnet(options)), "resnet")
end

os.exit(lu.LuaUnit.run())
