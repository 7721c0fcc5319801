-- sums_test.lua: sha256 before md5, one of several, none.

local lu = require "luaunit"
local file = require "exeunt.file"
local sums = require "exeunt.data.sums"
local command = dofile "tests/support/command.lua"

TestSums = {}

function TestSums:setUp()
  self.folder = command.folder()
  self.path = self.folder .. "/a"
  command.write(self.path, "abc")
end

function TestSums:tearDown() command.remove(self.folder) end

local sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"      -- of "abc" (FIPS 180-2, B.1)
local md5 = "900150983cd24fb0d6963f7d28e17f72"                                         -- of "abc" (RFC 1321, A.5)
local other = ("0"):rep(32)

function TestSums:test_check()
  lu.assertEquals(sums.check("x", { sha256 = { sha256 }, md5 = { other } }, self.path), sha256)
  lu.assertEquals(sums.check("x", { sha256 = {}, md5 = { other, md5 } }, self.path), md5)
  lu.assertEquals(sums.check("x", { sha256 = {}, md5 = {} }, self.path), sha256)
  lu.assertErrorMsgContains(("x: %s is damaged or another file: its md5 is %s, expected %s"):format(self.path, md5, other),
                            sums.check, "x", { sha256 = {}, md5 = { other } }, self.path)
end

function TestSums:test_all()
  local f = { path = self.path, sha256 = {}, md5 = { md5 } }
  lu.assertEquals(sums.all({ name = "x" }, { f, f }), file.digest_text(md5 .. md5))
  f.md5 = { other }
  lu.assertErrorMsgContains("data set 'x': " .. self.path .. " is damaged", sums.all, { name = "x" }, { f })
end

os.exit(lu.LuaUnit.run())
