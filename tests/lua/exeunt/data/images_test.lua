-- images_test.lua: files decoded into a cache once: where the cache lies, what makes it stale, what a file that is no image costs,
-- and that nothing half made stays.

local lu = require "luaunit"
local core = require "exeunt.core"
local file = require "exeunt.file"
local images = require "exeunt.data.images"
local command = dofile "tests/support/command.lua"

TestImages = {}

local function ppm(value) return "P6\n2 1\n255\n" .. string.char(value):rep(6) end

function TestImages:setUp()
  self.folder = command.folder()
  self.pics, self.list = self.folder .. "/pics", { paths = {}, labels = { 0, 1, 1 } }
  file.make_folder(self.pics)
  for i = 1, 3 do
    self.list.paths[i] = ("%s/%d.ppm"):format(self.pics, i)
    command.write(self.list.paths[i], ppm(10 * i))
  end
end

function TestImages:tearDown() command.remove(self.folder) end

local usual = { shape = { 3, 1, 2 }, method = "none", on_error = "fail" }

local function with(changes)
  local o = {}
  for k, v in pairs(usual) do o[k] = v end
  for k, v in pairs(changes or {}) do o[k] = v end
  return o
end

function TestImages:load(changes) return images.load(self.pics, "set", self.list, with(changes)) end
function TestImages:cache() return self.pics .. "/exeunt-cache-set-3x1x2-none.safetensors" end

-- What loading in a process of its own prints: the first pixel of each image and its label, or the message.
function TestImages:printed(environment, changes)
  command.write(self.folder .. "/load.lua", ([[
    local pics, method, on_error = %q, %q, %q
    local list = { paths = { pics .. "/1.ppm", pics .. "/2.ppm", pics .. "/3.ppm" }, labels = { 0, 1, 1 } }
    local loaded = require("exeunt.data.images").load(pics, "set", list, { shape = { 3, 1, 2 }, method = method, on_error = on_error })
    for n, label in ipairs(loaded.labels:to_list()) do io.write(loaded.images[n][1][1][1], ":", label, " ") end
  ]]):format(self.pics, with(changes).method, with(changes).on_error))
  return command.shell(("%s ${EXEUNT:-./exeunt} script %s/load.lua 2>&1"):format(environment or "", self.folder)).out
end

function TestImages:test_decoded_once()
  local loaded = self:load()
  lu.assertEquals(loaded.labels:to_list(), { 0, 1, 1 })
  lu.assertEquals(loaded.images:to_list(), { { { { 10, 10 } }, { { 10, 10 } }, { { 10, 10 } } },
                                             { { { 20, 20 } }, { { 20, 20 } }, { { 20, 20 } } },
                                             { { { 30, 30 } }, { { 30, 30 } }, { { 30, 30 } } } })
  command.shell("touch -d 2001-01-01 " .. self:cache())
  local _, time = file.stat(self:cache())
  lu.assertEquals(self:load().images:to_list(), loaded.images:to_list())
  lu.assertEquals(select(2, file.stat(self:cache())), time)          -- it was not written again
  loaded.images:fill_(0)                                             -- what is written to the tensors stays in memory
  lu.assertEquals(self:load().images[3][1][1][1], 30)
end

function TestImages:test_the_digest_is_of_names_sizes_labels_and_times()
  local list = self.list
  local name, cached = images.digest(self.pics, list, false), images.digest(self.pics, list, true)
  lu.assertNotEquals(name, cached)
  command.shell("touch -d 2001-01-01 " .. list.paths[1])
  lu.assertEquals(images.digest(self.pics, list, false), name)
  lu.assertNotEquals(images.digest(self.pics, list, true), cached)
  lu.assertNotEquals(images.digest(self.pics, { paths = list.paths, labels = { 0, 0, 1 } }, false), name)
  local turned = { paths = { list.paths[2], list.paths[1], list.paths[3] }, labels = list.labels }
  lu.assertNotEquals(images.digest(self.pics, turned, false), name)
  command.write(list.paths[2], ppm(20) .. " ")
  lu.assertNotEquals(images.digest(self.pics, list, false), name)
  command.shell(("mkdir %s/moved && cp %s/* %s/moved"):format(self.folder, self.pics, self.folder))
  local moved = { paths = {}, labels = list.labels }
  for i, path in ipairs(list.paths) do moved.paths[i] = self.folder .. "/moved" .. path:sub(#self.pics + 1) end
  lu.assertEquals(images.digest(self.folder .. "/moved", moved, false), images.digest(self.pics, list, false))
end

function TestImages:test_where_the_cache_lies()
  lu.assertEquals(self:printed(("EXEUNT_CACHE=%s/own"):format(self.folder)), "10:0 20:1 30:1 ")
  lu.assertEquals(#file.list(self.folder .. "/own"), 1)
  lu.assertStrMatches(file.list(self.folder .. "/own")[1], "%x+%-set%-3x1x2%-none%.safetensors")
  file.make_folder(self:cache())                                     -- nothing can be written there
  lu.assertEquals(self:printed(("XDG_CACHE_HOME=%s/user"):format(self.folder)), "10:0 20:1 30:1 ")
  lu.assertEquals(#file.list(self.folder .. "/user/exeunt"), 1)
  lu.assertStrContains(self:printed "XDG_CACHE_HOME=/proc/none", "cannot write " .. self:cache() .. ": it exists and is not a file ("
                       .. "decoded images are kept there; EXEUNT_CACHE may name another folder for them)")
end

function TestImages:test_files_that_are_no_images()
  command.write(self.list.paths[2], "no")
  lu.assertErrorMsgContains("/2.ppm: 2 bytes, too short for an image (on_error = 'skip' leaves such images out)", self.load, self)
  file.remove(self.list.paths[3])
  command.shell(("ln -s /nowhere %s"):format(self.list.paths[3]))
  lu.assertErrorMsgContains("too short for an image (and 1 more; on_error = 'skip' leaves such images out)", self.load, self)
  lu.assertEquals(file.list(self.pics), { "1.ppm", "2.ppm", "3.ppm" })
  lu.assertEquals(self:printed("", { on_error = "skip" }),
                  ("exeunt: skipped: %s: 2 bytes, too short for an image\n"):format(self.list.paths[2])
                  .. ("exeunt: skipped: cannot read %s: No such file or directory\n10:0 0:-1 0:-1 "):format(self.list.paths[3]))
  lu.assertEquals(self:printed("", { on_error = "skip" }), "10:0 0:-1 0:-1 ")
  lu.assertErrorMsgContains("/2.ppm: this image cannot be decoded (on_error = 'skip' leaves it out)", self.load, self)
end

function TestImages:test_sizes()
  lu.assertErrorMsgContains("/1.ppm: 2 x 1 pixels, expected 3 x 3 (no resizing was asked for)", self.load, self, { shape = { 3, 3, 3 } })
  lu.assertEquals(self:load({ shape = { 1, 3, 3 }, method = "bilinear" }).images[2]:to_list(),
                  { { { 20, 20, 20 }, { 20, 20, 20 }, { 20, 20, 20 } } })
  lu.assertErrorMsgContains("1 to 4 channels and sides of up to 65500", self.load, self, { shape = { 3, 1, 2 ^ 24 }, method = "bilinear" })
end

function TestImages:test_an_interrupt_leaves_nothing()
  core.C.ex_interrupt()
  local ok, message = pcall(self.load, self)
  core.C.ex_interrupt_clear()
  lu.assertFalse(ok)
  lu.assertStrContains(message, "interrupted while images were decoded; nothing of the cache is kept")
  collectgarbage()
  lu.assertEquals(file.list(self.pics), { "1.ppm", "2.ppm", "3.ppm" })
end

-- Of the files of processes that are gone only those that are old: another machine may write to the folder.
function TestImages:test_what_killed_processes_left()
  local name = ".exeunt-cache-set-3x1x2-none.safetensors."
  local old, new, mine = name .. "999999999.0.tmp", name .. "999999998.0.tmp", name .. "1.7.tmp"
  local other = ".exeunt-cache-set-3x1x2-bicubic.safetensors.999999999.0.tmp"
  for _, entry in ipairs { old, new, mine, other } do command.write(self.pics .. "/" .. entry, "") end
  command.shell(("cd %s && touch -d 2001-01-01 %s %s %s"):format(self.pics, old, mine, other))
  self:load()
  lu.assertEquals(file.list(self.pics), { other, mine, new, "1.ppm", "2.ppm", "3.ppm", "exeunt-cache-set-3x1x2-none.safetensors" })
end

-- A file system of its own that is too small; only root may mount one.
function TestImages:test_a_full_disk()
  file.make_folder(self.folder .. "/small")
  local mounted = command.shell(("mount -t tmpfs -o size=4k none %s/small"):format(self.folder)).code == 0
  if not mounted then lu.skip "a file system cannot be mounted" end
  command.shell(("head -c 4000 /dev/zero >%s/small/full"):format(self.folder))
  local printed, left = self:printed(("EXEUNT_CACHE=%s/small"):format(self.folder)), file.list(self.folder .. "/small")
  command.shell(("umount %s/small"):format(self.folder))
  lu.assertStrContains(printed, "No space left on device")
  lu.assertEquals(left, { "full" })
end

os.exit(lu.LuaUnit.run())
