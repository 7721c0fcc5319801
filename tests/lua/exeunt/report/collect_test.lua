-- report/collect.lua: figures, lists of figures, nothing, and what cannot be drawn.

local lu = require "luaunit"
local collect = require "exeunt.report.collect"

TestCollect = {}

function TestCollect.test_what_is_kept()
  local function fig(name, y) return { name = name, series = { { x = { 1 }, y = { y } } } } end
  package.loaded["exeunt.test.one"] = function(view) return fig(view.prefix .. "one", 1) end
  package.loaded["exeunt.test.none"] = function() return nil end
  package.loaded["exeunt.test.many"] = function() return { fig("a", 1), fig("gap", false), fig("b", 2) } end
  local list, names = {}, {}
  collect(list, "exeunt.test.", { "one", "none", "many" }, { prefix = "the " })
  for i, f in ipairs(list) do names[i] = f.name end
  lu.assertEquals(names, { "the one", "a", "b" })
end

os.exit(lu.LuaUnit.run())
