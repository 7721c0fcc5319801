-- plan_test.lua: plans from Lua: running, reading, describing, and errors that carry their kind.

local lu = require "luaunit"
local core = require "exeunt.core"
local Graph = require "exeunt.graph"
local Plan = require "exeunt.plan"
local tensor = require "exeunt.tensor"

TestPlan = {}

local function affine(batch)
  local g = Graph.new()
  local y = g:node("y", "linear", { g:input("x", { -1, 2 }), g:parameter("w", tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } }) })
  return g, Plan.new(g, { outputs = { y, "w" }, batch = batch or 4 })
end

function TestPlan.test_a_run_by_hand()
  local _, p = affine()
  p:bind("x", tensor { { 1, 1 }, { 0, 2 } })
  p:run(2)
  lu.assertEquals(p:output(1, nil, 2):to_list(), { { 3, 7, 11 }, { 4, 8, 12 } })
  lu.assertEquals(p:output(2):to_list(), { { 1, 2 }, { 3, 4 }, { 5, 6 } })
end

function TestPlan.test_outputs_go_into_the_tensor_that_is_given()
  local _, p = affine()
  local x, out = tensor { { 1, 0 } }, tensor.zeros { 1, 3 }
  p:bind("x", x)
  p:run(1)
  lu.assertIs(p:output(1, out), out)
  lu.assertEquals(out:to_list(), { { 1, 3, 5 } })
  x[1] = tensor { 0, 1 }                      -- bound tensors are read at each run
  p:run(1)
  lu.assertEquals(p:output(1, out):to_list(), { { 2, 4, 6 } })
end

function TestPlan.test_inputs_that_are_not_needed_are_ignored()
  local _, p = affine()
  lu.assertTrue(p:needs("x"))
  lu.assertFalse(p:needs("labels"))
  p:bind("labels", tensor { 1 })
end

function TestPlan.test_it_describes_itself()
  local _, p = affine(8)
  local info, nodes = p:info(), p:nodes()
  lu.assertEquals(info.batch, 8)
  lu.assertEquals(info.macs, 6)
  lu.assertEquals(#nodes, info.nodes)
  lu.assertEquals(nodes[1].op, "linear")
  lu.assertEquals(nodes[1].shape, { -1, 3 })
  lu.assertStrContains(tostring(p), "batch up to 8")
end

-- The kernel of a 3x3 convolution of `maps`, in a plan for this batch.
local function kernel_of(maps, batch, training)
  local g = Graph.new()
  local y = g:node("y", "conv2d", { g:input("x", { -1, 64, maps, maps }), g:parameter("w", tensor.zeros { 64, 64, 3, 3 }) },
                   { padding = { 1, 1 } })
  local nodes = Plan.new(g, { outputs = { y }, batch = batch, training = training }):nodes()
  return nodes[#nodes].kernel                                  -- before it, at inference, its weights are packed
end

function TestPlan.test_exact_plans_convolve_directly()
  lu.assertEquals(kernel_of(14, 64, true), "winograd")
  Plan.exact(true)
  local ok, kernel = pcall(kernel_of, 14, 64, true)
  Plan.exact(false)
  lu.assertEquals({ ok, kernel }, { true, "direct" })
  lu.assertEquals(kernel_of(14, 64, true), "winograd")
end

-- Inference has the same bits for any batch, so its kernels may not depend on it; a training's do, for small images (for which, is
-- a matter of the instruction set).
function TestPlan.test_kernels_of_inference_do_not_depend_on_the_batch()
  local changes = 0
  for size = 1, 14 do
    lu.assertEquals(kernel_of(size, 1, false), kernel_of(size, 64, false))
    if kernel_of(size, 1, true) ~= kernel_of(size, 64, true) then changes = changes + 1 end
  end
  lu.assertTrue(changes > 0)
  lu.assertEquals({ kernel_of(1, 64, false), kernel_of(14, 64, false) }, { "direct", "winograd" })
end

function TestPlan.test_an_interrupt_is_an_error_of_its_own_kind()
  local _, p = affine()
  p:bind("x", tensor { { 1, 1 } })
  core.C.ex_interrupt()
  local ok, e = pcall(p.run, p, 1)
  core.C.ex_interrupt_clear()
  lu.assertFalse(ok)
  lu.assertEquals(e.status, "interrupted")
  p:run(1)
end

function TestPlan.test_a_number_that_is_not_finite_is_an_error_of_its_own_kind()
  local g = Graph.new()
  local x = g:buffer("x", tensor { -1 })
  local y = g:node("y", "sum", { g:node("bad", "log", { x }) })
  local p = Plan.new(g, { outputs = { y }, guards = { y }, training = true })
  local ok, e = pcall(p.run, p, 1, 0, 12)
  lu.assertFalse(ok)
  lu.assertEquals(e.status, "not finite")
  lu.assertStrContains(tostring(e), "step 12")
  lu.assertStrContains(tostring(e), "'y' is nan: ")
  lu.assertStrContains(tostring(e), "'bad' (log)")
end

function TestPlan.test_threads()
  local before = Plan.threads()
  lu.assertEquals(Plan.threads(3), 3)
  lu.assertErrorMsgContains("threads: got 0", Plan.threads, 0)
  lu.assertErrorMsgContains("threads: got 1.5", Plan.threads, 1.5)
  lu.assertErrorMsgContains("threads: got two", Plan.threads, "two")
  Plan.threads(before)
end

function TestPlan.test_mistakes_are_told()
  local _, p = affine()
  lu.assertErrorMsgContains("input 'x' is not bound", p.run, p, 1)
  lu.assertErrorMsgContains("input 'x' has shape (1, 3), expected (N, 2)", p.bind, p, "x", tensor { { 1, 2, 3 } })
  lu.assertErrorMsgContains("no output 3", p.output, p, 3)
end

function TestPlan.test_a_wrong_switch_in_the_environment_is_named()
  local command = dofile "tests/support/command.lua"
  local result = command.shell(("EXEUNT_PASSES=-mrege %s repl"):format(os.getenv "EXEUNT" or "./exeunt"),
                               "ex.models.lenet():forward(ex.tensor.zeros { 1, 28, 28 })")
  lu.assertEquals({ result.code, result.out }, { 1, "" })
  lu.assertStrContains(result.err, "EXEUNT_PASSES: '-mrege' switches nothing off; did you mean -merge? Else write -NAME")
end

os.exit(lu.LuaUnit.run())
