-- decoded_test.lua: the parts of a set of images in folders: what its loader must list, and which images train and which test.

local lu = require "luaunit"
local decoded = require "exeunt.data.decoded"
local file = require "exeunt.file"
local tensor = require "exeunt.tensor"
local command = dofile "tests/support/command.lua"

TestDecoded = {}

local function ppm(value) return "P6\n1 1\n255\n" .. string.char(value):rep(3) end

function TestDecoded:setUp()
  self.folder = command.folder()
  for part, count in pairs { train = 3, test = 2 } do
    for k, class in ipairs { "ant", "bee" } do
      file.make_folder(("%s/%s/%s"):format(self.folder, part, class))
      for i = 1, count do command.write(("%s/%s/%s/%d.ppm"):format(self.folder, part, class, i), ppm(10 * k + i)) end
    end
  end
end

function TestDecoded:tearDown() command.remove(self.folder) end

function TestDecoded:load(changes, roles)
  local m = { name = "set", path = "set.yaml", loader = "folder", classes = 2, train = 6, test = 4 }
  for k, v in pairs(changes or {}) do m[k] = v end
  local by_role = {}
  for role, name in pairs(roles or { train = "train", test = "test" }) do by_role[role] = self.folder .. "/" .. name end
  return decoded.load(m, by_role, self.folder, { shape = { 3, 1, 1 }, method = "none", on_error = "skip" })
end

function TestDecoded:test_parts()
  local source, sum, names = self:load()
  lu.assertEquals(names, { "ant", "bee" })
  lu.assertEquals(source.train.labels:to_list(), { 0, 0, 0, 1, 1, 1 })
  for i, v in ipairs { 11, 12, 21, 22 } do lu.assertEquals(source.test.images[i]:to_list(), { { { v } }, { { v } }, { { v } } }) end
  lu.assertEquals(select(3, self:load { class_names = { "a", "b" } }), { "a", "b" })
  lu.assertEquals(select(2, self:load()), sum)
  command.shell(("touch -d 2001-01-01 %s/train/ant/1.ppm"):format(self.folder))
  lu.assertEquals(select(2, self:load()), sum)                      -- a copy of the set is the same set
  command.shell(("mv %s/train/ant/1.ppm %s/train/ant/0.ppm"):format(self.folder, self.folder))
  lu.assertNotEquals(select(2, self:load()), sum)
end

function TestDecoded:test_a_part_of_validation_may_have_any_count()
  local source = self:load({}, { train = "train", validation = "test", test = "test" })
  lu.assertEquals(source.validation.labels:to_list(), { 0, 0, 1, 1 })
  lu.assertIs(self:load({ train = 4, test = 2 }, { all = "train" }).train.labels.shape[1], 6)
end

function TestDecoded:test_what_is_refused()
  local function fails(message, changes, roles) lu.assertErrorMsgContains(message, self.load, self, changes, roles) end
  fails(self.folder .. ": 2 class folders, expected 3", { classes = 3 })
  fails(self.folder .. ": 6 train images, expected 7", { train = 7 })
  fails(self.folder .. ": 4 test images, expected 3", { test = 3 })
  fails(self.folder .. ": 6 all images, expected 10", {}, { all = "train" })
  file.make_folder(self.folder .. "/test/cat")
  fails(("%s/test/cat: there is no such class folder in %s/train"):format(self.folder, self.folder))
  command.shell(("rmdir %s/test/cat; rm -r %s/test/bee"):format(self.folder, self.folder))
  fails(self.folder .. "/test/bee: there is no such class folder")
end

local function part(labels) return { labels = tensor(labels, "int32"), images = {} } end
local function sorted(t)
  local list = t:to_list()
  table.sort(list)
  return list
end

function TestDecoded.test_places()
  local m = { name = "set", path = "set.yaml", test = 3 }
  local train, test = decoded.places(m, { train = part { 0, -1, 1 }, test = part { -1, 1 } }, 0)
  lu.assertEquals({ train.places:to_list(), test.places:to_list() }, { { 0, 2 }, { 1 } })
  local source = { train = part { 0, 1, -1, 1, 0, 1, 0, -1 } }
  train, test = decoded.places(m, source, 5)
  lu.assertEquals({ #train.places:to_list(), #test.places:to_list() }, { 3, 3 })
  local seen = {}
  for _, t in ipairs { train.places, test.places } do for _, i in ipairs(t:to_list()) do seen[#seen + 1] = i end end
  table.sort(seen)
  lu.assertEquals(seen, { 0, 1, 3, 4, 5, 6 })
  local _, again = decoded.places(m, source, 5)
  lu.assertEquals(again.places:to_list(), test.places:to_list())
  local other = false
  for seed = 6, 20 do
    local _, t = decoded.places(m, source, seed)
    other = other or table.concat(sorted(t.places), " ") ~= table.concat(sorted(test.places), " ")
  end
  lu.assertTrue(other)
end

function TestDecoded.test_too_few_places()
  local m = { name = "set", path = "set.yaml", test = 3 }
  lu.assertErrorMsgContains("data set 'set': 3 images, 3 of them for the test", decoded.places, m, { train = part { 0, 1, 1, -1 } }, 0)
  lu.assertErrorMsgContains("set.yaml: none of 2 images can be decoded", decoded.places, m, { train = part { -1, -1 } }, 0)
  lu.assertErrorMsgContains("set.yaml: none of 1 images can be decoded", decoded.places, m,
                            { train = part { 0, 1 }, test = part { -1 } }, 0)
end

os.exit(lu.LuaUnit.run())
