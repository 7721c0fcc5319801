-- cli/data.lua: the list, and the verification of one set. The sets here are small ones, made for the test.

local lu = require "luaunit"
local json = require "exeunt.report.json"
local command = dofile "tests/support/command.lua"

TestData = {}

local manifest = [[
name: tiny
about: a few pictures
source: this test
get: make them again
loader: idx
folders: [tiny]
files:
  train_images: { name: a, sha256: "%s" }
  train_labels: { name: b }
  test_images: { name: c }
  test_labels: { name: d }
shape: [1, 2, 2]
train: 1
test: 1
classes: [no, yes]
mean: [0.5]
std: [0.5]
]]

local abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"      -- sha256 of "abc" (FIPS 180-2, B.1)

function TestData:setUp() self.folder = command.folder() end
function TestData:tearDown() command.remove(self.folder) end

function TestData:make(sum, content)
  command.write(self.folder .. "/tiny.yaml", manifest:format(sum))
  command.shell("mkdir " .. self.folder .. "/tiny")
  for name in ("abcd"):gmatch "." do command.write(self.folder .. "/tiny/" .. name, content or "abc") end
  return command.run(("data %s/tiny.yaml"):format(self.folder))
end

function TestData.test_the_list()
  local result = command.run "data"
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertStrMatches(result.out, ".*\nfashion%-mnist +%a+ .*")
  lu.assertStrMatches(result.out, ".*\nmnist +%a+ .*")
end

function TestData:test_right_files()
  local result = self:make(abc)
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertStrContains(result.out, abc .. "  right\n")
  lu.assertStrContains(result.out, abc .. "  no checksum known\n")
end

function TestData:test_a_damaged_file()
  local result = self:make(abc, "abd")
  lu.assertEquals(result.code, 1)
  lu.assertEquals(result.err, ("exeunt: data set 'tiny': %s/tiny/a is damaged or another file\n"):format(self.folder))
  lu.assertStrContains(result.out, "damaged or another file")
end

function TestData:test_json()
  self:make(abc, "abd")
  local result = command.run(("data %s/tiny.yaml --json"):format(self.folder))
  local set = json.decode(result.out)
  lu.assertEquals({ result.code, set.name, set.ok, #set.files, set.files[1].ok }, { 1, "tiny", false, 4, false })
  local list = json.decode(command.run("data --json").out)
  lu.assertTrue(#list > 5)
  lu.assertEquals({ list[1].name, type(list[1].here) }, { "cifar-10", "boolean" })
end

function TestData:test_a_missing_set_says_how_to_get_it()
  command.write(self.folder .. "/tiny.yaml", manifest:format(abc))
  local result = command.run(("data %s/tiny.yaml"):format(self.folder))
  lu.assertEquals({ result.code, result.err }, { 1, "exeunt: data set 'tiny' is missing: make them again\n" })
end

function TestData.test_an_unknown_name()
  local result = command.run "data fashon-mnist"
  lu.assertEquals({ result.code, result.out }, { 1, "" })
  lu.assertStrContains(result.err, "did you mean 'fashion-mnist'?")
end

function TestData:test_fetch()
  self:make(abc)
  local result = command.run(("data fetch %s/tiny.yaml"):format(self.folder))
  lu.assertEquals({ result.code, result.err }, { 0, "" })
  lu.assertStrContains(result.out, "is here already in " .. self.folder .. "/tiny\n")
  os.remove(self.folder .. "/tiny/a")
  result = command.run(("data fetch %s/tiny.yaml"):format(self.folder))
  lu.assertEquals({ result.code, result.err },
                  { 1, "exeunt: data set 'tiny': its manifest has no address; to get it: make them again\n" })
  lu.assertEquals(command.run("data fetch").code, 2)
  lu.assertEquals(command.run("data a b").err, "exeunt: data: one data set at a time, got 'a' and 'b'\n")
end

os.exit(lu.LuaUnit.run())
