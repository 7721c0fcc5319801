-- Schedules against numbers that torch 1.13's StepLR, CosineAnnealingLR and OneCycleLR give for the same settings.
local lu = require "luaunit"
local schedule = require "exeunt.schedule"

TestSchedule = {}

local function run(f, steps, per_epoch)
  local out = {}
  for step = 0, steps - 1 do out[step + 1] = f(step, steps, math.floor(step / (per_epoch or steps)) + 1) end
  return out
end

local function near(got, expected)
  lu.assertEquals(#got, #expected)
  for i, x in ipairs(expected) do lu.assertAlmostEquals(got[i], x, 1e-12, "step " .. i - 1) end
end

function TestSchedule:test_constant_is_one()
  near(run(schedule.constant(), 3), { 1, 1, 1 })
end

function TestSchedule:test_step_falls_every_two_epochs()
  near(run(schedule.step { every = 2, gamma = 0.5 }, 6, 1), { 1, 1, 0.5, 0.5, 0.25, 0.25 })
end

function TestSchedule:test_cosine()
  -- (1 + cos(pi t / 4)) / 2 for t = 0..3
  near(run(schedule.cosine(), 4), { 1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2 })
  near(run(schedule.cosine { floor = 0.2 }, 4)
    , { 1, 0.2 + 0.4 * (1 + math.sqrt(0.5)), 0.6, 0.2 + 0.4 * (1 - math.sqrt(0.5)) })
end

-- OneCycleLR(max_lr=1, total_steps=10, pct_start=0.3): the rise takes steps 0..2, the fall 2..9.
function TestSchedule:test_one_cycle()
  near(run(schedule.one_cycle(), 10), {
    0.04, 0.52, 1, 0.9504846320134738, 0.8117456539497631, 0.6112620219362893, 0.3887419780637107, 0.1882583460502368,
    0.0495193679865262, 0.000004 })
end

function TestSchedule:test_one_cycle_stays_in_bounds_for_few_steps()
  for steps = 1, 12 do
    for _, x in ipairs(run(schedule.one_cycle(), steps)) do lu.assertTrue(x > 0 and x <= 1, steps .. ": " .. x) end
  end
end

function TestSchedule:test_warm_up_then_cosine_from_its_own_start()
  local f = schedule.warmup { steps = 2, from = 0.5, after = "cosine" }
  near(run(f, 6), { 0.5, 0.75, 1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2 })
  near(run(schedule.warmup { share = 0.5, from = 0 }, 4), { 0, 0.5, 1, 1 })
end

function TestSchedule:test_refusals()
  lu.assertErrorMsgContains("did you mean 'gamma'", schedule.step, { every = 1, gama = 0.1 })
  lu.assertErrorMsgContains("either steps", schedule.warmup, {})
  lu.assertErrorMsgContains("schedule must be", schedule.of, "linear")
end

os.exit(lu.LuaUnit.run())
