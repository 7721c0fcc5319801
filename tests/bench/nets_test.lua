-- nets.lua: the benchmark's networks have the parameters and multiply-accumulates that PyTorch counts over bench/peers/models.py.

local lu = require "luaunit"
package.path = "bench/?.lua;" .. package.path
local nets = require "nets"

TestNets = {}

function TestNets.test_costs_are_the_peers()
  for name, ready in pairs { lenet = "61706 416520", vgg = "298410 29138688", resnet20 = "272474 40813184",
                             mobilenetv2 = "134538 9220608" } do
    lu.assertEquals(nets.ready(nets.make(name, 1)), "ready " .. ready)
  end
  for name, ready in pairs { lenet = "61946 416740", vgg = "299390 29139648", resnet20 = "272974 40813664",
                             mobilenetv2 = "135118 9221168" } do
    lu.assertEquals(nets.ready(nets.make(name, 3)), "ready " .. ready)
  end
  lu.assertEquals(nets.ready(nets.make("vgg", 3, 2)), "ready 1170142 116082048")
end

function TestNets.test_images_lie_channels_last()
  local images = nets.images(nets.make("resnet20", 1), 2)
  lu.assertEquals(images.shape, { 2, 3, 32, 32 })
  lu.assertErrorMsgContains("no network alexnet", nets.make, "alexnet", 1)
end

os.exit(lu.LuaUnit.run())
