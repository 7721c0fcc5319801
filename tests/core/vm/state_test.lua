-- The Lua state (core/vm/state.c, main.c): text only, the paths, how it leaves.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"

local bytecode = string.dump(function() return 1 end)

TestState = {}

function TestState:setUp() self.folder = command.folder() end
function TestState:tearDown() command.remove(self.folder) end

local function refused(ok_or_value, message)
  lu.assertNil(ok_or_value)
  lu.assertStrContains(message, "attempt to load chunk with wrong mode")
end

function TestState.test_text_is_loaded()
  lu.assertEquals(load("return ...", "name")(7), 7)
  lu.assertEquals(loadstring("return 8")(), 8)
  lu.assertEquals(load("return x", "name", "t", { x = 9 })(), 9)
  local pieces = { "return ", "10" }
  lu.assertEquals(load(function() return table.remove(pieces, 1) end)(), 10)
  local f, message = load("return +", "=name")
  lu.assertNil(f)
  lu.assertStrContains(message, "name:1:")
end

function TestState:test_bytecode_is_not()
  refused(load(bytecode))
  refused(load(bytecode, "name", "b"))
  refused(loadstring(bytecode))
  command.write(self.folder .. "/code.lua", bytecode)
  refused(loadfile(self.folder .. "/code.lua"))
  lu.assertErrorMsgContains("wrong mode", dofile, self.folder .. "/code.lua")
  local before = package.path
  package.path = self.folder .. "/?.lua"
  local ok, message = pcall(require, "code")
  package.path = before
  lu.assertFalse(ok)
  lu.assertStrContains(message, "wrong mode")
end

function TestState:test_files_are_run_and_required()
  command.write(self.folder .. "/value.lua", "return { name = (...) }")
  lu.assertEquals(loadfile(self.folder .. "/value.lua")("x"), { name = "x" })
  lu.assertEquals(dofile(self.folder .. "/value.lua"), {})
  local before = package.path
  package.path = self.folder .. "/?.lua"
  local ok, value = pcall(require, "value")
  package.path, package.loaded.value = before, nil
  lu.assertTrue(ok)
  lu.assertEquals(value, { name = "value" })
  lu.assertErrorMsgContains("module 'no.such' not found", require, "no.such")
end

-- Leaving by os.exit closes the state: finalisers run.
function TestState:test_exit_closes_the_state()
  command.write(self.folder .. "/leave.lua", [[
    local ffi = require "ffi"
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function() print "finalised" end
    os.exit(tonumber(...) or ... == "true")
  ]])
  local path = self.folder .. "/leave.lua"
  for argument, code in pairs { ["7"] = 7, ["true"] = 0, ["false"] = 1 } do
    local result = command.run("script " .. path .. " " .. argument)
    lu.assertEquals({ result.code, result.out, result.err }, { code, "finalised\n", "" })
  end
end

function TestState:test_the_compiler_can_be_switched_off()
  command.write(self.folder .. "/jit.lua", "print((jit.status()))")
  lu.assertEquals(command.shell("EXEUNT_JIT=off ${EXEUNT:-./exeunt} script " .. self.folder .. "/jit.lua").out, "false\n")
  lu.assertEquals(command.shell("EXEUNT_JIT=on ${EXEUNT:-./exeunt} script " .. self.folder .. "/jit.lua").out, "true\n")
end

-- The program finds its Lua files from any folder, through a link, and by its name on the PATH.
function TestState:test_it_finds_its_files()
  local program = require("exeunt.system").program
  command.shell(("ln -s %s %s/exeunt"):format(command.quote(program), self.folder))
  for _, line in ipairs { "cd / && " .. command.quote(program) .. " --version", self.folder .. "/exeunt --version",
                          ("cd / && PATH=%s:$PATH exeunt --version"):format(self.folder) } do
    local result = command.shell(line)
    lu.assertEquals({ result.code, result.err }, { 0, "" }, line)
    lu.assertStrMatches(result.out, "exeunt %d+%.%d+%.%d+\n")
  end
end

function TestState:test_without_its_files_it_says_so()
  command.shell(("cp %s %s/exeunt"):format(command.quote(require("exeunt.system").program), self.folder))
  local result = command.shell(self.folder .. "/exeunt --version")
  if result.code == 0 then lu.skip "an installed copy was found" end
  lu.assertEquals(result.code, 1)
  lu.assertEquals(result.err, "exeunt: cannot find its lua folder, neither beside the program nor in share/exeunt\n")
end

-- The layout of `make install`: PREFIX/bin/exeunt with PREFIX/share/exeunt/lua.
function TestState:test_the_installed_layout()
  local root = require("exeunt.paths").root
  command.shell(("mkdir -p %s/bin %s/share/exeunt && cp %s %s/bin/exeunt && ln -s %s/lua %s/share/exeunt/lua"):format(
    self.folder, self.folder, command.quote(require("exeunt.system").program), self.folder, command.quote(root), self.folder))
  command.write(self.folder .. "/root.lua", "print(require('exeunt.paths').root)")
  local result = command.shell(("%s/bin/exeunt script %s/root.lua"):format(self.folder, self.folder))
  lu.assertEquals({ result.code, result.out, result.err }, { 0, self.folder .. "/share/exeunt\n", "" })
end

os.exit(lu.LuaUnit.run())
