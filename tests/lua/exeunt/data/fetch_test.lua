-- fetch_test.lua: downloads from a server on loopback: broken off and resumed, with a wrong checksum, from nowhere.

local lu = require "luaunit"
local ffi = require "ffi"
local fetch = require "exeunt.data.fetch"
local file = require "exeunt.file"
local command = dofile "tests/support/command.lua"

ffi.cdef "int setenv(const char *, const char *, int);"

TestFetch = {}

local here = command.shell("command -v curl && command -v python3").code == 0

function TestFetch:setUp()
  if not here then lu.skip "curl or python3 is not installed" end
  self.folder = command.folder()
  file.make_folder(self.folder .. "/served")
  file.make_folder(self.folder .. "/got")
  command.write(self.folder .. "/served/a.bin", ("0123456789"):rep(10000))
  local port = self.folder .. "/port"
  self.pid = command.shell(("python3 tests/support/serve.py %s/served %s >/dev/null 2>&1 & echo $!")
    :format(self.folder, port)).out:match "%d+"
  for _ = 1, 200 do
    if file.kind(port) then break end
    os.execute "sleep 0.05"
  end
  self.url = "http://127.0.0.1:" .. file.read(port)
  self.sum = file.digest(self.folder .. "/served/a.bin", "md5")
end

function TestFetch:tearDown()
  if not self.folder then return end
  os.execute("kill " .. self.pid)
  command.remove(self.folder)
end

function TestFetch:file(kind, sum)
  return fetch.file({ name = "a.bin", url = ("%s/%s/a.bin"):format(self.url, kind), sha256 = {}, md5 = { sum or self.sum } },
                    self.folder .. "/got")
end

function TestFetch:test_fetches_and_resumes()
  for _, kind in ipairs { "plain", "cut" } do
    local path = self:file(kind)
    lu.assertEquals(file.digest(path, "md5"), self.sum)
    lu.assertEquals(file.list(self.folder .. "/got"), { "a.bin" })
    file.remove(path)
  end
end

function TestFetch:test_goes_on_from_what_is_there()
  command.write(self.folder .. "/got/a.bin.part", ("0123456789"):rep(10000))
  lu.assertEquals(file.digest(self:file "plain", "md5"), self.sum)
end

function TestFetch:test_failures()
  lu.assertErrorMsgContains("the transfer broke off 4 times", self.file, self, "broken")
  lu.assertEquals(file.list(self.folder .. "/got"), { "a.bin.part" })
  lu.assertErrorMsgContains("is damaged or another file", self.file, self, "plain", ("0"):rep(32))
  lu.assertEquals(file.list(self.folder .. "/got"), {})
  lu.assertErrorMsgContains("cannot reach http://127.0.0.1:1/a: there is no network, or the server does not answer", fetch.file,
                            { name = "a", url = "http://127.0.0.1:1/a", sha256 = {}, md5 = {} }, self.folder .. "/got")
  lu.assertErrorMsgContains("404", fetch.file, { name = "b", url = self.url .. "/plain/b", sha256 = {}, md5 = {} }, self.folder .. "/got")
end

function TestFetch:test_a_set()
  ffi.C.setenv("EXEUNT_DATA", self.folder .. "/data", 1)
  command.shell(("cd %s/served && mkdir x && echo 1 >x/a && echo 2 >x/b && tar -czf x.tar.gz x"):format(self.folder))
  command.write(self.folder .. "/s.yaml", ([[
{ name: s, about: a, source: s, get: g, loader: svhn, folders: [s/x], shape: [3, 2, 2], train: 1, test: 1, classes: [a, b],
  files: { train: { name: a }, test: { name: b } }, archives: [{ name: x.tar.gz, url: "%s/plain/x.tar.gz", unpack: tar }] }
]]):format(self.url))
  lu.assertEquals({ fetch.set(self.folder .. "/s.yaml") }, { self.folder .. "/data/s/x", true })
  lu.assertEquals({ fetch.set(self.folder .. "/s.yaml") }, { self.folder .. "/data/s/x", false })
end

-- A zip file that holds x/a and x/b, of a line each.
local zip = ("504b03041400000000000000215053fc5167020000000200000003000000782f61310a504b03041400000000000000215090af7c4c02000000020000" ..
  "0003000000782f62320a504b010214031400000000000000215053fc51670200000002000000030000000000000000000000800100000000782f6150" ..
  "4b010214031400000000000000215090af7c4c0200000002000000030000000000000000000000800123000000782f62504b05060000000002000200" ..
  "62000000460000000000"):gsub("%x%x", function(h) return string.char(tonumber(h, 16)) end)

function TestFetch:zipped(content)
  ffi.C.setenv("EXEUNT_DATA", self.folder .. "/data", 1)
  command.write(self.folder .. "/served/y.zip", content)
  command.write(self.folder .. "/z.yaml", ([[
{ name: z, about: a, source: s, get: g, loader: svhn, folders: [z/x], shape: [3, 2, 2], train: 1, test: 1, classes: [a, b],
  files: { train: { name: a }, test: { name: b } }, archives: [{ name: y.zip, url: "%s/plain/y.zip", unpack: zip }] }
]]):format(self.url))
  return fetch.set(self.folder .. "/z.yaml")
end

function TestFetch:test_a_zip_file()
  lu.assertEquals({ self:zipped(zip) }, { self.folder .. "/data/z/x", true })
  lu.assertEquals(file.read(self.folder .. "/data/z/x/b"), "2\n")
  lu.assertEquals(file.list(self.folder .. "/data/z"), { "x", "y.zip" })
end

-- An archive that breaks off, or whose unpacking was killed, is unpacked again, though its first files are there.
function TestFetch:test_an_archive_that_was_not_unpacked_whole()
  lu.assertErrorMsgContains("cannot unpack " .. self.folder .. "/data/z/y.zip: ", self.zipped, self, zip:sub(1, 60))
  command.shell(("cd %s/data/z && rm y.zip && mkdir -p x && echo 0 >x/a && echo 0 >x/b"):format(self.folder))
  lu.assertEquals({ self:zipped(zip) }, { self.folder .. "/data/z/x", true })
  lu.assertEquals(file.read(self.folder .. "/data/z/x/a"), "1\n")
  lu.assertEquals({ self:zipped(zip) }, { self.folder .. "/data/z/x", false })
end

os.exit(lu.LuaUnit.run())
