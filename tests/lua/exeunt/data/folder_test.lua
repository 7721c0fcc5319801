-- folder_test.lua: images in folders, opened by a manifest: cached, mapped, made again where the source or the cache changed.

local lu = require "luaunit"
local data = require "exeunt.data"
local file = require "exeunt.file"
local command = dofile "tests/support/command.lua"

TestFolder = {}

local manifest = [[
name: pics
about: a test
source: nowhere
get: make it again
loader: folder
folders: [pics]
parts: { all: . }
shape: [3, 2, 2]
classes: 2
train: 6
test: 2
]]

local function ppm(value) return "P6\n2 2\n255\n" .. string.char(value):rep(12) end

function TestFolder:setUp()
  self.folder = command.folder()
  self.path, self.pics = self.folder .. "/pics.yaml", self.folder .. "/pics"
  command.write(self.path, manifest)
  for k, class in ipairs { "cat", "dog" } do
    file.make_folder(self.pics .. "/" .. class)
    for i = 1, 4 do command.write(("%s/%s/%d.ppm"):format(self.pics, class, i), ppm(100 * k + i)) end
  end
end

function TestFolder:tearDown() command.remove(self.folder) end

function TestFolder:fails(message, o) lu.assertErrorMsgContains(message, data.open, self.path, o) end

function TestFolder:cache() return self.pics .. "/exeunt-cache-pics-all-3x2x2-bicubic.safetensors" end

function TestFolder:test_opens()
  local d = data.open(self.path, { validation = 2 })
  lu.assertEquals({ d.train.count, d.validation.count, d.test.count }, { 4, 2, 2 })
  lu.assertEquals(d.class_names, { "cat", "dog" })
  local seen = {}
  for _, part in ipairs { d.train, d.validation, d.test } do
    for _, i in ipairs(part.index:to_list()) do seen[#seen + 1] = i end
  end
  table.sort(seen)
  lu.assertEquals(seen, { 0, 1, 2, 3, 4, 5, 6, 7 })
  lu.assertEquals(d.train.labels:to_list(), { 0, 0, 0, 0, 1, 1, 1, 1 })
  lu.assertEquals(d.train.images[5][1]:to_list(), { { 201, 201 }, { 201, 201 } })
  lu.assertAlmostEquals(d.mean[1], 152.5 / 255, 1e-12)
  lu.assertEquals(file.kind(self:cache()), "file")
  lu.assertEquals(data.open(self.path, { size = 3, channels = 1 }).train.images.shape, { 8, 1, 3, 3 })
end

-- What opening in a process of its own says on standard error.
function TestFolder:said(o)
  command.write(self.folder .. "/open.lua", ("require('exeunt.data').open(%q, { %s })"):format(self.path, o or ""))
  return command.run("script " .. self.folder .. "/open.lua").err
end

function TestFolder:test_caches_are_checked()
  lu.assertEquals(self:said(), "")
  lu.assertEquals(self:said(), "")
  command.write(self.pics .. "/cat/1.ppm", ppm(7) .. " ")
  lu.assertStrContains(self:said(), "is of another source; the images are decoded again")
  lu.assertEquals(data.open(self.path).train.images[1][1][1][1], 7)
  local text = file.read(self:cache())
  local function remade(why, damaged)
    command.write(self:cache(), damaged)
    lu.assertEquals(self:said(), "exeunt: " .. self:cache() .. why .. "; the images are decoded again\n")
    lu.assertEquals(file.read(self:cache()), text)
    lu.assertEquals(self:said(), "")
  end
  remade(": 0 bytes, too short for a safetensors file", "")
  remade(" is of another version", (text:gsub('"version":"2"', '"version":"1"')))
  remade(" is of another source", (text:gsub('"source":"....', '"source":"0000')))
  local last = (" is damaged: bytes %d to %d are not as they were written"):format(#text - 8 * 12, #text - 1)
  remade(last, text:sub(1, -51) .. ("\0"):rep(30) .. text:sub(-20))
  remade(last, text:sub(1, -2) .. string.char(text:byte(-1) + 1))
  command.write(self:cache(), text:sub(1, -5))
  lu.assertStrContains(self:said(), "; the images are decoded again")
end

-- The checksums are compared once in a process, but again where the file is another by size or time.
function TestFolder:test_a_cache_that_changes_while_a_process_runs()
  local first = data.open(self.path).train.images:to_list()
  local text = file.read(self:cache())
  command.shell("touch -d 2001-01-01 " .. self:cache())
  lu.assertEquals(data.open(self.path).train.images:to_list(), first)
  command.write(self:cache(), text:sub(1, -51) .. ("\0"):rep(30) .. text:sub(-20))
  lu.assertEquals(data.open(self.path).train.images:to_list(), first)
  lu.assertEquals(file.read(self:cache()), text)
end

function TestFolder:test_corrupt_images()
  command.write(self.pics .. "/dog/2.ppm", "no image")
  self:fails(self.pics .. "/dog/2.ppm: ")
  lu.assertNil(file.kind(self:cache()))
  lu.assertStrContains(self:said "on_error = 'skip'", "exeunt: skipped: " .. self.pics .. "/dog/2.ppm: ")
  local d = data.open(self.path, { on_error = "skip" })
  lu.assertEquals({ d.train.count, d.test.count }, { 5, 2 })
  for _, part in ipairs { d.train, d.test } do
    for _, i in ipairs(part.index:to_list()) do lu.assertNotEquals(i, 5) end
  end
  self:fails("dog/2.ppm: this image cannot be decoded")
end

-- A picture of a kind that is not decoded is no less an image; what is none is passed over.
function TestFolder:test_pictures_of_other_kinds_are_named()
  command.write(self.pics .. "/dog/notes.txt", "none")
  lu.assertEquals(data.open(self.pics, { size = 2 }).train.count, 7)
  command.write(self.pics .. "/dog/5.webp", "RIFF....WEBP")
  local message = self.pics .. "/dog/5.webp: not an image: it starts with 52 49 46 46; JPEG, PNG, PGM and PPM are read"
  lu.assertErrorMsgContains(message, data.open, self.pics, { size = 2 })
  lu.assertEquals(data.open(self.pics, { size = 2, on_error = "skip" }).train.count, 7)
end

-- A limit on the size of files stands for a disk that is full.
function TestFolder:test_a_disk_that_fills_leaves_nothing()
  command.write(self.folder .. "/open.lua", ("require('exeunt.data').open(%q)"):format(self.path))
  local result = command.shell(("(trap '' XFSZ; ulimit -f 0; EXEUNT_CACHE=%s/caches ${EXEUNT:-./exeunt} script %s/open.lua) 2>&1 | cat")
    :format(self.folder, self.folder))
  lu.assertStrContains(result.out, "cannot write " .. self.folder .. "/caches/")
  lu.assertEquals(file.list(self.folder .. "/caches"), {})
  lu.assertEquals(file.list(self.pics), { "cat", "dog" })
end

function TestFolder:test_bad_input()
  file.make_folder(self.pics .. "/empty")
  self:fails(self.pics .. "/empty: a class folder without images (.png, .jpg, .jpeg, .ppm, .pgm)")
  command.write(self.pics .. "/empty/a.ppm", ppm(1))
  self:fails("3 class folders, expected 2")
  file.remove(self.pics .. "/empty/a.ppm")
  command.shell("rmdir " .. self.pics .. "/empty")
  file.remove(self.pics .. "/dog/3.ppm")
  self:fails("7 all images, expected 8")
  self:fails("on_error: expected 'fail' or 'skip', got no", { on_error = "no" })
end

os.exit(lu.LuaUnit.run())
