-- Sessions: kept with the network as long as they fit it, and what they read. (forward and classify: network_test.lua.)

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"
local infer = require "exeunt.infer"

TestInfer = {}

function TestInfer.test_a_session_is_kept_for_each_batch()
  local net = nets.vgg()
  local session = infer.session(net, 8)
  lu.assertIs(infer.session(net, 8), session)
  lu.assertNotIs(infer.session(net, 16), session)
end

function TestInfer.test_a_changed_network_or_team_gets_another()
  local net = nets.vgg()
  local session = infer.session(net, 8)
  ex.exits.anticipate(net, { after = { 1 } })
  local other = infer.session(net, 8)
  lu.assertNotIs(other, session)
  lu.assertEquals({ session.exits, other.exits }, { 3, 2 })
  local threads = ex.threads()
  ex.threads(threads + 1)
  lu.assertNotIs(infer.session(net, 8), other)
  ex.threads(threads)
end

function TestInfer.test_outputs_are_the_exits_and_the_vote()
  local net = nets.vgg()
  local x = nets.normal({ 3, 2, 12, 12 }, "x")
  local session, vote, each = infer.session(net, 8), net:forward(x)
  session:vote_weights(net.vote_weights)
  session:bind(x)
  session:run(3)
  lu.assertEquals(session:outputs(), 4)
  for i = 1, 4 do
    local out = ex.tensor.zeros { 3, 4 }
    session:read(i, out)
    nets.same(lu, out, each[i] or vote)
  end
  lu.assertEquals(infer.session(net:keep { 2 }, 8):outputs(), 1)
end

-- The same numbers for any number of threads.
function TestInfer.test_threads_do_not_change_the_bits()
  local net, x = nets.stir(ex.models.resnet { depth = 8 }), nets.normal({ 20, 3, 32, 32 }, "x")
  local threads, before = ex.threads(), nil
  for n = 1, 3 do
    ex.threads(n)
    local vote = net:forward(x):to_list()
    before = before or vote
    lu.assertEquals(vote, before)
  end
  ex.threads(threads)
end

os.exit(lu.LuaUnit.run())
