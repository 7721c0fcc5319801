-- bare_test.lua: a folder of images without a manifest: class folders alone, and folders of training, validation and test images.

local lu = require "luaunit"
local data = require "exeunt.data"
local file = require "exeunt.file"
local command = dofile "tests/support/command.lua"

TestBare = {}

local function ppm(value) return "P6\n2 2\n255\n" .. string.char(value):rep(12) end

function TestBare:setUp() self.folder = command.folder() end
function TestBare:tearDown() command.remove(self.folder) end

-- Images whose pixels are value, value + 1, ... in the class folders cat and dog below a path.
function TestBare:fill(below, each, value)
  for k, class in ipairs { "cat", "dog" } do
    file.make_folder(self.folder .. below .. "/" .. class)
    for i = 1, each do command.write(("%s%s/%s/%d.ppm"):format(self.folder, below, class, i), ppm(value + 20 * k + i)) end
  end
end

local function sorted(list)
  table.sort(list)
  return list
end

function TestBare:test_class_folders()
  self:fill("", 5, 0)
  local d = data.open(self.folder .. "/", { size = 2, validation = 3, channels = 1 })
  lu.assertEquals({ d.train.count, d.validation.count, d.test.count }, { 5, 3, 2 })
  lu.assertEquals({ d.classes, d.class_names, d.shape }, { 2, { "cat", "dog" }, { 1, 2, 2 } })
  local seen = {}
  for _, part in ipairs { d.train, d.validation, d.test } do
    for _, i in ipairs(part.index:to_list()) do seen[#seen + 1] = i end
  end
  lu.assertEquals(sorted(seen), { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 })
  lu.assertEquals(data.open(self.folder, { size = 2, validation = 3 }).test.index:to_list(), d.test.index:to_list())
end

function TestBare:test_folders_of_parts()
  self:fill("/train", 4, 0)
  self:fill("/val", 2, 100)
  local d = data.open(self.folder, { size = 2, validation = 2 })         -- without a test folder val is the test
  lu.assertEquals({ d.train.count, d.validation.count, d.test.count }, { 6, 2, 4 })
  lu.assertEquals(d.test.images[1][1][1][1], 121)
  self:fill("/test", 3, 150)
  d = data.open(self.folder, { size = 2 })
  lu.assertEquals({ d.train.count, d.validation.count, d.test.count }, { 8, 4, 6 })
  lu.assertEquals({ d.validation.images[1][1][1][1], d.test.images[1][1][1][1] }, { 121, 171 })
  lu.assertErrorMsgContains("has a folder of validation images; leave this option out", data.open, self.folder,
                             { size = 2, validation = 1 })
end

-- Spaces, other alphabets, capitals.
function TestBare:test_odd_names()
  self:fill("/Ünser Ordner/Train", 3, 0)
  self:fill("/Ünser Ordner/TEST", 2, 100)
  local path = self.folder .. "/Ünser Ordner"
  for _, part in ipairs { "Train", "TEST" } do
    file.make_folder(("%s/%s/日本 %%d"):format(path, part))
    command.write(("%s/%s/日本 %%d/a b'.PPM"):format(path, part), ppm(77))
  end
  local d = data.open(path, { size = 2 })
  lu.assertEquals({ d.name, d.class_names, d.train.count, d.test.count }, { "Ünser Ordner", { "cat", "dog", "日本 %d" }, 7, 5 })
  lu.assertEquals(d.test.images[5][1][1][1], 77)
  file.make_folder(path .. "/TEST/eel")
  lu.assertErrorMsgContains("/TEST/eel: there is no such class folder in " .. path .. "/Train", data.open, path, { size = 2 })
end

-- A folder that is called as a data set.
function TestBare:test_a_data_set_s_name_means_the_data_set()
  self:fill("/mnist", 5, 0)
  command.write(self.folder .. "/open.lua", [[
    print(pcall(require("exeunt.data").open, "mnist"))
    print(require("exeunt.data").open("./mnist", { size = 2 }))
  ]])
  local said = command.shell(("exe=$(realpath ${EXEUNT:-./exeunt}); cd %s && EXEUNT_DATA=/none XDG_DATA_HOME=/none $exe script open.lua")
    :format(self.folder))
  lu.assertStrMatches(said.out, "false\tdata set 'mnist' is not here.*\nmnist: images of %(3, 2, 2%).*")
end

function TestBare:test_refuses()
  lu.assertErrorMsgContains("0 class folders, expected two or more", data.open, self.folder)      -- before a size is asked for
  for i = 1, 3 do command.write(("%s/%d.ppm"):format(self.folder, i), ppm(i)) end
  lu.assertErrorMsgContains("(FOLDER/CLASS/*.png); 3 images lie in it: each class needs a folder of its own", data.open,
                            self.folder, { size = 2 })
  lu.assertErrorMsgContains("1.ppm: expected a data set's manifest (.yaml) or a folder of images, got another file", data.open,
                            self.folder .. "/1.ppm", { size = 2 })
  lu.assertErrorMsgContains("expected the name of a data set or the path of its manifest, got ''", data.open, "")
  self:fill("", 1, 0)
  lu.assertErrorMsgContains("is a folder of images: size: give pixels of a side", data.open, self.folder)
  lu.assertErrorMsgContains("2 images, too few to draw a test set from", data.open, self.folder, { size = 2 })
  self:fill("", 3, 0)
  lu.assertErrorMsgContains("does not say how many images are usual", data.open, self.folder, { size = 2, validation = "usual" })
end

os.exit(lu.LuaUnit.run())
