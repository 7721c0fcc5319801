-- report/scale.lua: units of axes, percent, texts.

local lu = require "luaunit"
local scale = require "exeunt.report.scale"

TestScale = {}

function TestScale.test_units()
  lu.assertEquals({ scale.of { 12, 9000 } }, { 1 })
  lu.assertEquals({ scale.of { 12, 20000 } }, { 1e3, "thousand" })
  lu.assertEquals({ scale.of { 5e5, 2.9e7 } }, { 1e6, "million" })
  lu.assertEquals({ scale.of { -4e9 } }, { 1e9, "billion" })
  lu.assertEquals({ scale.of {} }, { 1 })
end

function TestScale.test_over_keeps_gaps()
  lu.assertEquals(scale.over({ 10, false, 30 }, 10), { 1, false, 3 })
  lu.assertEquals({ scale.percent(0.5), scale.percent(nil), scale.percent(false) }, { 50, false, false })
end

function TestScale.test_texts()
  lu.assertEquals(scale.number_text(1234567), "1234567")
  lu.assertEquals(scale.number_text(0.123456789), "0.123457")
  lu.assertEquals(scale.percent_text(0.8765), "87.65 %")
end

os.exit(lu.LuaUnit.run())
