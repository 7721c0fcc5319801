-- The rooms of core/ and the arrows between them: who may include whom, which room holds which library, and that the FFI
-- is touched in one Lua file. Reads the sources in the current folder, the project's root.

local lu = require "luaunit"

-- What a room may include besides itself and core/exeunt.h: vm -> graph -> ops -> kernels -> base; graph, ops, io -> tensor.
local below = {
  base = {}, tensor = { "base" }, kernels = { "base" }, ops = { "kernels", "tensor", "base" },
  graph = { "ops", "kernels", "tensor", "base" }, io = { "tensor", "base" }, store = { "base" },
  vm = { "graph", "ops", "kernels", "tensor", "base" },
}

-- Libraries that live in one room.
local homes = {
  { "^lua", "vm" }, { "^lauxlib%.h$", "vm" }, { "^editline/", "vm" }, { "^histedit%.h$", "vm" }, { "^yaml%.h$", "vm" },
  { "^c?blis", "kernels" }, { "^blas%.h$", "kernels" }, { "^cblas%.h$", "kernels" }, { "^Random123/", "base" },
  { "^stb/", "io" }, { "^jpeglib%.h$", "io" }, { "^jerror%.h$", "io" },
  { "^sqlite3", "store" }, { "^libpq", "store" }, { "^postgresql/", "store" },
}

local function find(folder, names)
  local pipe = assert(io.popen(("find %s -type f \\( %s \\) | sort"):format(folder, names)))
  local files = {}
  for line in pipe:lines() do files[#files + 1] = line end
  pipe:close()
  return files
end

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

-- "core/ops/../base/error.h" -> "core/base/error.h"
local function resolve(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do
    if part == ".." then table.remove(parts) elseif part ~= "." then parts[#parts + 1] = part end
  end
  return table.concat(parts, "/")
end

local function allowed(from, to)
  if from == to then return true end
  for _, room in ipairs(assert(below[from], "a room that DESIGN.md does not know: " .. from)) do
    if room == to then return true end
  end
  return false
end

-- What is wrong with an #include line of the file, or nil.
local function fault(path, line)
  local room = path:match "^core/([^/]+)/"
  local own = line:match '^%s*#%s*include%s*"([^"]+)"'
  local system = line:match "^%s*#%s*include%s*<([^>]+)>"
  if own then
    local target = resolve(path:match "^(.*)/" .. "/" .. own)
    if target == "core/exeunt.h" then return nil end
    local to = target:match "^core/([^/]+)/"
    if not to or not allowed(room, to) then return ("%s: %s may not include %s"):format(path, room, target) end
  elseif system then
    for _, home in ipairs(homes) do
      if system:match(home[1]) and room ~= home[2] then return ("%s: <%s> belongs to %s"):format(path, system, home[2]) end
    end
  end
end

TestRooms = {}

function TestRooms.test_includes_follow_the_arrows()
  local faults, count = {}, 0
  for _, path in ipairs(find("core", "-path 'core/*/*' -name '*.[ch]'")) do
    for _, line in ipairs(lines_of(path)) do
      if line:match "^%s*#%s*include" then count = count + 1 end
      faults[#faults + 1] = fault(path, line)
    end
  end
  lu.assertEquals(faults, {})
  lu.assertTrue(count > 50, "only " .. count .. " includes were found")
end

function TestRooms.test_a_wrong_arrow_is_noticed()
  lu.assertStrContains(fault("core/base/error.c", '#include "../tensor/tensor.h"'), "base may not include core/tensor/tensor.h")
  lu.assertStrContains(fault("core/kernels/isa/conv.c", '#include "../../ops/op.h"'), "kernels may not include core/ops/op.h")
  lu.assertStrContains(fault("core/graph/plan.c", "#include <lua.h>"), "<lua.h> belongs to vm")
  lu.assertStrContains(fault("core/ops/linear.c", "#include <blis.h>"), "<blis.h> belongs to kernels")
  lu.assertStrContains(fault("core/io/idx.c", '#include "../graph/graph.h"'), "io may not include")
  lu.assertNil(fault("core/kernels/isa/conv.c", '#include "../../base/cpu.h"'))
  lu.assertNil(fault("core/graph/passes/dead.c", '#include "../../tensor/tensor.h"'))
end

function TestRooms.test_only_core_lua_touches_the_ffi()
  local faults, count = {}, 0
  for _, path in ipairs(find("lua", "-name '*.lua'")) do
    count = count + 1
    for number, line in ipairs(lines_of(path)) do
      local code = line:gsub("%-%-.*", "")
      if path ~= "lua/exeunt/core.lua" and (code:match "cdef" or code:match "require%s*%(?%s*[\"']ffi[\"']") then
        faults[#faults + 1] = ("%s:%d: %s"):format(path, number, line)
      end
    end
  end
  lu.assertEquals(faults, {})
  lu.assertTrue(count > 10, "only " .. count .. " Lua files were found")
end

os.exit(lu.LuaUnit.run())
