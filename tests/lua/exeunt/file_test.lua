-- file_test.lua: the file functions as Lua sees them; what is under them is tested in tests/core/io.

local lu = require "luaunit"
local file = require "exeunt.file"
local command = dofile "tests/support/command.lua"

TestFile = {}

function TestFile:setUp() self.folder = command.folder() end
function TestFile:tearDown() command.remove(self.folder) end

function TestFile:test_write_read_append()
  local path = self.folder .. "/a"
  file.write(path, "one\0\n")
  file.append(path, "two\n")
  lu.assertEquals(file.read(path), "one\0\ntwo\n")
  file.write(path, "")
  lu.assertEquals(file.read(path), "")
  lu.assertErrorMsgContains("cannot write " .. self.folder .. "/no/a: No such file", file.write, self.folder .. "/no/a", "x")
  lu.assertErrorMsgContains("cannot append to /dev/full: No space left on device", file.append, "/dev/full", "x")
  lu.assertErrorMsgContains("cannot read " .. self.folder .. "/no", file.read, self.folder .. "/no")
  lu.assertErrorMsgContains("it is a folder", file.read, self.folder)
end

function TestFile:test_paths_are_checked()
  lu.assertErrorMsgContains("file.write: expected a path, got nil", file.write, nil, "x")
  lu.assertErrorMsgContains("file.kind: expected a path", file.kind, "a\0b")
  lu.assertErrorMsgContains("file.list: expected a path", file.list, "")
end

function TestFile:test_kind_and_remove()
  local path = self.folder .. "/a"
  lu.assertNil(file.kind(path))
  file.write(path, "x")
  lu.assertEquals(file.kind(path), "file")
  lu.assertEquals(file.kind(self.folder), "folder")
  lu.assertEquals(file.kind "/dev/null", "other")
  file.remove(path)
  lu.assertNil(file.kind(path))
  lu.assertErrorMsgContains("cannot remove", file.remove, path)
end

function TestFile:test_links()
  file.write(self.folder .. "/train1.best", "1")
  file.link("train1.best", self.folder .. "/best")
  lu.assertEquals(file.read(self.folder .. "/best"), "1")
end

function TestFile:test_folders()
  local deep = self.folder .. "/x/y/z"
  file.make_folder(deep)
  file.make_folder(deep)
  lu.assertEquals(file.kind(deep), "folder")
  lu.assertEquals(file.list(deep), {})
  for _, name in ipairs { "b", "a", "a b", ".hidden" } do file.write(deep .. "/" .. name, "") end
  lu.assertEquals(file.list(deep), { ".hidden", "a", "a b", "b" })
  lu.assertErrorMsgContains("Not a directory", file.list, deep .. "/a")
end

function TestFile:test_sweep_takes_temporary_files_only()
  for _, name in ipairs { ".last.safetensors.123.4.tmp", ".tmp", "a.tmp", ".a.1.tmp", "last.safetensors" } do
    file.write(self.folder .. "/" .. name, "")
  end
  file.sweep(self.folder)
  lu.assertEquals(file.list(self.folder), { ".a.1.tmp", ".tmp", "a.tmp", "last.safetensors" })
end

-- What a killed process leaves behind has the name that sweep knows.
function TestFile:test_sweep_knows_the_name_of_a_killed_write()
  local script = self.folder .. "/kill.lua"
  file.write(script, [[
    local ffi = require "ffi"
    ffi.cdef "typedef struct { unsigned long now, most; } exeunt_limit; int setrlimit(int, const exeunt_limit *);"
    ffi.C.setrlimit(1, ffi.new("exeunt_limit", 1000, 1000))       -- RLIMIT_FSIZE: the kernel kills a longer write
    require("exeunt.file").write(arg[1], ("x"):rep(5000))
  ]])
  local target = self.folder .. "/out/file"
  file.make_folder(self.folder .. "/out")
  command.shell(("%s script %s %s"):format(os.getenv "EXEUNT" or "./exeunt", script, target))
  local left = file.list(self.folder .. "/out")
  lu.assertEquals(#left, 1)
  lu.assertStrMatches(left[1], "%.file%.%d+%.%d+%.tmp")
  file.sweep(self.folder .. "/out")
  lu.assertEquals(file.list(self.folder .. "/out"), {})
end

function TestFile:test_digests()
  local path = self.folder .. "/abc"
  file.write(path, "abc")
  local sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
  lu.assertEquals(file.digest(path), sha)
  lu.assertEquals(file.digest_text "abc", sha)
  lu.assertEquals(file.digest(path, "md5"), "900150983cd24fb0d6963f7d28e17f72")
  lu.assertEquals(file.digest_text("abc", "md5"), "900150983cd24fb0d6963f7d28e17f72")
  lu.assertErrorMsgContains("unknown digest sha1", file.digest, path, "sha1")
end

function TestFile:test_locks()
  local path = self.folder .. "/lock"
  local lock = file.lock(path)
  lu.assertErrorMsgMatches(".*lock is locked: process %d+ is using it", file.lock, path)
  lu.assertEquals(tostring(lock), "lock on " .. path)
  lock:free()
  lock:free()
  file.lock(path):free()
  lock = file.lock_beside(self.folder .. "/x")
  lu.assertErrorMsgContains("/.x.lock is locked", file.lock, self.folder .. "/.x.lock")
  lock:free()
end

function TestFile:test_a_forgotten_lock_is_let_go()
  local path = self.folder .. "/lock"
  file.lock(path)
  collectgarbage()
  collectgarbage()
  file.lock(path):free()
end

function TestFile:test_where_a_link_leads()
  local at = self.folder
  lu.assertEquals(file.real(at .. "/x"), at .. "/x")
  file.link("b", at .. "/a")
  file.link(at .. "/c", at .. "/b")
  lu.assertEquals(file.real(at .. "/a"), at .. "/c")             -- which is not there
  file.link("a", at .. "/c")
  lu.assertErrorMsgContains("/a: its links go round in a circle", file.real, at .. "/a")
end

function TestFile.test_words_for_a_shell()
  for text, word in pairs { ["runs/a-b_1.db"] = "runs/a-b_1.db", ["a b"] = "'a b'", ["it's"] = "'it'\\''s'", [""] = "''",
                            ["$x"] = "'$x'" } do
    lu.assertEquals(file.shell_word(text), word)
  end
end

os.exit(lu.LuaUnit.run())
