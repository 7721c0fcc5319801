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

function TestPaths.test_the_users_folders()
  local folder = command.folder()
  command.write(folder .. "/p.lua", "local p = require 'exeunt.paths' print(p.state(), p.data(), p.cache())")
  local function three(environment)
    return command.shell(("env %s ${EXEUNT:-./exeunt} script %s/p.lua"):format(environment, folder)).out
  end
  local set, none = "XDG_STATE_HOME=/s XDG_DATA_HOME=/d XDG_CACHE_HOME=/c", "-u XDG_STATE_HOME -u XDG_DATA_HOME -u XDG_CACHE_HOME"
  lu.assertEquals(three(set .. " HOME=/h"), "/s/exeunt\t/d/exeunt\t/c/exeunt\n")
  lu.assertEquals(three(set:gsub("=/", "=") .. " HOME=/h"), "/h/.local/state/exeunt\t/h/.local/share/exeunt\t/h/.cache/exeunt\n")
  lu.assertEquals(three(none .. " HOME=/h"), "/h/.local/state/exeunt\t/h/.local/share/exeunt\t/h/.cache/exeunt\n")
  lu.assertEquals(three(none .. " -u HOME"), "nil\tnil\tnil\n")
  command.remove(folder)
end

function TestPaths.test_absolute()
  lu.assertEquals(paths.absolute "/a/b", "/a/b")
  lu.assertEquals(paths.absolute "a/b", require("exeunt.system").folder() .. "/a/b")
end

os.exit(lu.LuaUnit.run())
