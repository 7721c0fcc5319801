-- split_test.lua: splits share no image, depend on the seed alone, and no limit changes which images validate.

local lu = require "luaunit"
local split = require "exeunt.data.split"
local tensor = require "exeunt.tensor"

TestSplit = {}

local function lists(count, o)
  local train, validation = split.divide(count, o)
  return train:to_list(), validation:to_list()
end

function TestSplit.test_every_image_once()
  local train, validation = lists(100, { validation = 30, seed = 5 })
  lu.assertEquals({ #train, #validation }, { 70, 30 })
  local seen = {}
  for _, list in ipairs { train, validation } do
    for _, i in ipairs(list) do
      lu.assertNil(seen[i])
      lu.assertTrue(i >= 0 and i < 100)
      seen[i] = true
    end
  end
end

function TestSplit.test_seeds()
  local a, b = lists(100, { validation = 30, seed = 5 }), lists(100, { validation = 30, seed = 5 })
  lu.assertEquals(a, b)
  lu.assertNotEquals(a, (lists(100, { validation = 30, seed = 6 })))
end

function TestSplit.test_limits_keep_the_validation_images()
  local train, validation = lists(100, { validation = 30, seed = 5 })
  local fewer, same = lists(100, { validation = 30, train_limit = 10, seed = 5 })
  lu.assertEquals(same, validation)
  lu.assertEquals(fewer, { unpack(train, 1, 10) })
  lu.assertEquals(#(lists(100, { validation = 30, train_limit = 1000, seed = 5 })), 70)
end

function TestSplit.test_nothing_to_validate()
  local train, validation = lists(10, { validation = 0, seed = 0 })
  lu.assertEquals({ #train, #validation }, { 10, 0 })
  lu.assertErrorMsgContains("validation is 10, the training files hold 10 images", lists, 10, { validation = 10, seed = 0 })
end

function TestSplit.test_test()
  lu.assertEquals(split.test(4, { seed = 1 }):to_list(), { 0, 1, 2, 3 })
  lu.assertEquals(split.test(4, { seed = 1, test_limit = 9 }):to_list(), { 0, 1, 2, 3 })
  local drawn = split.test(1000, { seed = 1, test_limit = 20 }):to_list()
  lu.assertEquals(#drawn, 20)
  lu.assertTrue(math.max(unpack(drawn)) > 100)            -- from all of the files, not from their front
end

function TestSplit.test_prints()
  local s = split.new { name = "train", set = "small", index = tensor({ 1, 2, 3 }, "int32") }
  lu.assertEquals(s.count, 3)
  lu.assertEquals(tostring(s), "train split of small, 3 images")
end

os.exit(lu.LuaUnit.run())
