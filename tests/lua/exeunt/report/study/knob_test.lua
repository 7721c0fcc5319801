-- report/study/knob.lua: where values lie on axes.

local lu = require "luaunit"
local knob = require "exeunt.report.study.knob"

TestKnob = {}

local lr = { name = "lr", kind = "real", low = 1e-4, high = 1, log = true }
local batch = { name = "batch", kind = "int", low = 32, high = 64 }
local widths = { name = "widths", kind = "choice", values = { { 16, 32 }, { 32, 64 }, "none" } }

function TestKnob.test_share()
  lu.assertAlmostEquals(knob.share(lr, 1e-2), 0.5, 1e-12)
  lu.assertEquals({ knob.share(batch, 48), knob.share(widths, { 32, 64 }), knob.share(widths, "none") }, { 0.5, 0.5, 1 })
  lu.assertNil(knob.share(lr, nil))
  lu.assertNil(knob.share(widths, "other"))
  lu.assertEquals(knob.share({ kind = "choice", values = { true } }, true), 0.5)
end

function TestKnob.test_place()
  lu.assertEquals({ knob.place(lr, 0.01, 7), knob.place(lr, nil, 7), knob.place(widths, "other", 7) }, { 0.01, false, false })
  local seen = {}
  for number = 0, 50 do
    local x = knob.place(widths, { 32, 64 }, number)
    lu.assertTrue(math.abs(x - 2) <= 0.2)
    lu.assertNil(seen[x])
    seen[x] = true
  end
end

function TestKnob.test_axis_and_texts()
  lu.assertEquals(knob.axis(lr), { title = "lr (log)", log = true, low = 1e-4, high = 1, whole = false })
  lu.assertTrue(knob.axis(batch).whole)
  lu.assertEquals(knob.axis(widths).ticks, { { 1, "16,32" }, { 2, "32,64" }, { 3, "none" } })
  lu.assertEquals({ knob.text { 1, 0.5 }, knob.text(true), knob.text(1e-5) }, { "1,0.5", "true", "1e-05" })
  lu.assertEquals(knob.objective_title({ path = "a.b", maximize = false }, "million"), "a.b (million, less is better)")
end

function TestKnob.test_left_out()
  lu.assertEquals(knob.left_out { done = { 1, 2 }, ranked = { 1, 2 } }, "")
  lu.assertEquals(knob.left_out { done = { 1, 2 }, ranked = { 1 } }, " Trials that break a constraint are left out.")
end

os.exit(lu.LuaUnit.run())
