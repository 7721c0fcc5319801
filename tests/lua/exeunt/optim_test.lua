-- Optimisers: update nodes against numbers worked by hand, groups, state tensors, refusals. (Against PyTorch over several
-- steps: golden_training_test.lua.)
local lu = require "luaunit"
local ex = require "exeunt"
local Graph = require "exeunt.graph"
local leaf = require "exeunt.leaf"
local Plan = require "exeunt.plan"

TestOptim = {}

-- A graph with a parameter for each name, at 1, whose gradients are bound inputs. Gives step(t, factor, gradients).
local function updates(optimizer, names, shape)
  local g, params, grads, bound = Graph.new(), {}, {}, {}
  for i, name in ipairs(names) do
    params[i] = g:parameter(name, leaf.full(shape or { 2 }, 1))
    grads[i] = g:input("grad." .. name, shape or { 2 })
    bound[name] = ex.tensor.zeros(shape or { 2 })
  end
  local update = optimizer:build(g, params, grads, g:input("scale", {}))
  local plan = Plan.new(g, { outputs = {}, batch = 1, training = true })
  local scale = ex.tensor.full({}, 1)
  plan:bind("scale", scale)
  for name, t in pairs(bound) do plan:bind("grad." .. name, t) end
  update:bind(plan)
  local function step(t, factor, gradient, by)
    scale:fill_(by or 1)
    for _, b in pairs(bound) do b:fill_(gradient) end
    update:set(factor, t)
    plan:run(1, 0, t)
  end
  return step, function(name) return g:tensor(name):to_list()[1] end, update
end

function TestOptim:test_sgd_without_momentum()
  local step, p, update = updates(ex.optim.sgd { lr = 0.5 }, { "w" })
  step(1, 1, 0.5)                                    -- 1 - 0.5 * 0.5
  lu.assertEquals(p "w", 0.75)
  step(2, 0.5, 1)                                    -- the rate is halved: 0.75 - 0.25 * 1
  lu.assertEquals(p "w", 0.5)
  lu.assertNil(next(update.states))
end

function TestOptim:test_sgd_with_momentum_and_scale()
  local step, p, update = updates(ex.optim.sgd { lr = 1, momentum = 0.5 }, { "w" })
  step(1, 1, 0.25)                                   -- v = 0.25, p = 0.75
  step(2, 1, 0.5, 0.5)                               -- g' = 0.25, v = 0.375, p = 0.375
  lu.assertEquals(p "w", 0.375)
  lu.assertEquals(update.states["optim/w/velocity"]:to_list(), { 0.375, 0.375 })
end

function TestOptim:test_nesterov_and_weight_decay()
  local step, p = updates(ex.optim.sgd { lr = 0.5, momentum = 0.5, nesterov = true, weight_decay = 0.5 }, { "w" })
  step(1, 1, 0.5)                                    -- g' = 0.5 + 0.5 * 1 = 1, v = 1, p = 1 - 0.5 (1 + 0.5)
  lu.assertEquals(p "w", 0.25)
end

function TestOptim:test_adam_moves_by_lr_at_first()
  local step, p, update = updates(ex.optim.adam { lr = 0.25 }, { "w" })
  step(1, 1, 3)                                      -- m^ = 3, v^ = 9: p = 1 - 0.25 * 3 / 3
  lu.assertAlmostEquals(p "w", 0.75, 1e-6)
  lu.assertAlmostEquals(update.states["optim/w/m"]:to_list()[1], 0.3, 1e-6)
  lu.assertAlmostEquals(update.states["optim/w/v"]:to_list()[1], 0.009, 1e-8)
  step(2, 1, 3)                                      -- a constant gradient: the same step again
  lu.assertAlmostEquals(p "w", 0.5, 1e-6)
end

function TestOptim:test_adamw_shrinks_the_parameter_itself()
  local step, p = updates(ex.optim.adamw { lr = 0.25, weight_decay = 0.4 }, { "w" })
  step(1, 1, 3)                                      -- 1 - 0.25 * 0.4 * 1 - 0.25
  lu.assertAlmostEquals(p "w", 0.65, 1e-6)
end

function TestOptim:test_groups_take_the_first_pattern_that_fits()
  local sgd = ex.optim.sgd { lr = 0.5, groups = { { "exits.*", lr = 0.25 }, { "*.bias", lr = 0 } } }
  local step, p = updates(sgd, { "conv.weight", "conv.bias", "exits.1.bias" })
  step(1, 1, 1)
  lu.assertEquals({ p "conv.weight", p "conv.bias", p "exits.1.bias" }, { 0.5, 1, 0.75 })
end

function TestOptim:test_a_group_that_takes_everything()
  local step, p = updates(ex.optim.sgd { lr = 0.5, groups = { { "*", lr = 0.25 } } }, { "w" })
  step(1, 1, 1)
  lu.assertEquals(p "w", 0.75)
end

function TestOptim:test_state_has_the_shape_of_its_parameter()
  local _, _, update = updates(ex.optim.adam {}, { "conv.weight" }, { 4, 3, 5, 2 })
  lu.assertEquals(update.states["optim/conv.weight/m"].shape, { 4, 3, 5, 2 })
end

function TestOptim:test_refusals()
  lu.assertErrorMsgContains("lr", ex.optim.sgd, {})
  lu.assertErrorMsgContains("did you mean 'momentum'", ex.optim.sgd, { lr = 1, momentun = 0.9 })
  lu.assertErrorMsgContains("lr must be a number from 0", ex.optim.adam, { lr = -1 })
  lu.assertErrorMsgContains("nesterov needs a momentum", ex.optim.sgd, { lr = 1, nesterov = true })
  lu.assertErrorMsgContains("beta1 must be", ex.optim.adam, { beta1 = 2 })
  lu.assertErrorMsgContains("groups[1] must be", ex.optim.sgd, { lr = 1, groups = { "exits.*" } })
  lu.assertErrorMsgContains('group "exit.*" takes no trainable parameter', updates,
                            ex.optim.sgd { lr = 1, groups = { { "exit.*", lr = 1 } } }, { "w" })
end

function TestOptim:test_they_say_what_they_are()
  lu.assertEquals(tostring(ex.optim.sgd { lr = 0.1, momentum = 0.9 }), "sgd(lr 0.1, momentum 0.9, weight decay 0)")
  lu.assertEquals(tostring(ex.optim.adamw { lr = 0.1 }), "adamw(lr 0.1, betas 0.9 0.999, weight decay 0.01)")
end

os.exit(lu.LuaUnit.run())
