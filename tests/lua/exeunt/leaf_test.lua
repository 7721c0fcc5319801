-- Leaves: logical order, memory order, copies.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local nets = require "nets"
local ex = require "exeunt"

local core = require "exeunt.core"
local leaf = require "exeunt.leaf"

TestLeaf = {}

local function strides(t)
  local info = core.ffi.new "ex_tensor_info"
  core.C.ex_tensor_describe(t.handle, info)
  local out = {}
  for i = 1, info.ndim do out[i] = tonumber(info.stride[i - 1]) end
  return out
end

function TestLeaf.test_weights_lie_by_kernel_place()
  lu.assertEquals(strides(leaf.new { 5, 4, 3, 2 }), { 1, 5, 40, 20 })
  lu.assertEquals(strides(leaf.new { 5, 4 }), { 4, 1 })
end

function TestLeaf.test_numbers_do_not_depend_on_memory_order()
  nets.same(lu, leaf.uniform({ 3, 2, 2, 2 }, 2, 1, "name"), ex.tensor.uniform({ 3, 2, 2, 2 }, -2, 2, { seed = 1, stream = "name" }))
end

function TestLeaf.test_copies_are_independent()
  local a = leaf.full({ 2, 1, 1, 1 }, 3)
  local b = leaf.copy(a)
  a:fill_(4)
  lu.assertEquals({ nets.flat(a), nets.flat(b) }, { { 4, 4 }, { 3, 3 } })
  lu.assertEquals(strides(b), strides(a))
end

os.exit(lu.LuaUnit.run())
