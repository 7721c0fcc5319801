-- paths.lua: the engine's folders and the user's.

local lu = require "luaunit"
local paths = require "exeunt.paths"
local command = dofile "tests/support/command.lua"

TestPaths = {}

function TestPaths.test_the_engine_is_where_this_code_is()
  local file = assert(io.open(paths.lua .. "/exeunt/paths.lua", "r"))
  file:close()
  lu.assertEquals(package.searchpath("exeunt.paths", package.path), paths.lua .. "/exeunt/paths.lua")
end

function TestPaths.test_state()
  local folder = command.folder()
  command.write(folder .. "/state.lua", "print(require('exeunt.paths').state())")
  local function state(environment)
    return command.shell(("env %s ${EXEUNT:-./exeunt} script %s/state.lua"):format(environment, folder)).out
  end
  lu.assertEquals(state "XDG_STATE_HOME=/s HOME=/h", "/s/exeunt\n")
  lu.assertEquals(state "XDG_STATE_HOME=relative HOME=/h", "/h/.local/state/exeunt\n")
  lu.assertEquals(state "-u XDG_STATE_HOME HOME=/h", "/h/.local/state/exeunt\n")
  lu.assertEquals(state "-u XDG_STATE_HOME -u HOME", "nil\n")
  command.remove(folder)
end

function TestPaths.test_absolute()
  lu.assertEquals(paths.absolute "/a/b", "/a/b")
  lu.assertEquals(paths.absolute "a/b", require("exeunt.system").folder() .. "/a/b")
end

os.exit(lu.LuaUnit.run())
