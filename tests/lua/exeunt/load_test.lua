-- ex.load: a file, a run's folder, and what is neither.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

TestLoad = {}

local folder

function TestLoad.setUp() folder = nets.folder() end
function TestLoad.tearDown() nets.clean(folder) end

function TestLoad.test_file_and_folder()
  local net = nets.vgg()
  net:save(folder .. "/best.safetensors")
  lu.assertEquals(tostring(ex.load(folder .. "/best.safetensors")), tostring(net))
  lu.assertEquals(tostring(ex.load(folder)), tostring(net))
end

function TestLoad.test_refuses()
  lu.assertEquals(nets.message(ex.load, folder .. "/none"), "load: there is no " .. folder .. "/none")
  lu.assertEquals(nets.message(ex.load, folder),
    "load: the folder " .. folder .. " holds no best.safetensors: it is no run, or no training in it has ended an epoch")
  lu.assertEquals(nets.message(ex.load), "load: expected the path of a network file or a run, got nil")
end

os.exit(lu.LuaUnit.run())
