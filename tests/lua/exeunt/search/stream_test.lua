-- stream_test.lua: counter-based random numbers: Random123's known answers, the same numbers for the same names, moments.

local lu = require "luaunit"
local Stream = require "exeunt.search.stream"

TestStream = {}

-- Random123's kat_vectors, philox4x32 with 10 rounds.
function TestStream.test_known_answers()
  local ones = 0xffffffff
  lu.assertEquals({ Stream.words(0, 0, 0, 0, 0, 0) }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 })
  lu.assertEquals({ Stream.words(ones, ones, ones, ones, ones, ones) }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd })
  lu.assertEquals({ Stream.words(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0) },
                  { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 })
end

-- FNV-1a, 32 bits: the published offset basis and the values of "a" and "foobar".
function TestStream.test_hash_of_a_name()
  lu.assertEquals(Stream.hash "", 0x811c9dc5)
  lu.assertEquals(Stream.hash "a", 0xe40c292c)
  lu.assertEquals(Stream.hash "foobar", 0xbf9cf968)
end

local function draw(seed, name, number, n)
  local stream, list = Stream.new(seed, name, number), {}
  for i = 1, n do list[i] = stream:uniform() end
  return list
end

function TestStream.test_a_number_depends_on_seed_name_number_and_place_alone()
  local list = draw(7, "lr", 3, 5)
  lu.assertEquals(draw(7, "lr", 3, 5), list)
  local seen = {}
  for _, other in ipairs { list, draw(8, "lr", 3, 5), draw(7, "lr2", 3, 5), draw(7, "lr", 4, 5), draw(7 + 2 ^ 40, "lr", 3, 5),
                           draw(7, "lr", 3 + 2 ^ 33, 5) } do
    for _, x in ipairs(other) do
      lu.assertNil(seen[x])
      seen[x] = true
    end
  end
end

-- The first words of the stream's first block, worked out from the known answer's layout: 53 bits of two words.
function TestStream.test_uniform_is_made_of_two_words()
  local a, b, c, d = Stream.words(0, 3, 0, Stream.hash "lr", 7, 0)
  lu.assertEquals(draw(7, "lr", 3, 2), { (math.floor(a / 32) * 2 ^ 26 + math.floor(b / 64)) / 2 ^ 53,
                                         (math.floor(c / 32) * 2 ^ 26 + math.floor(d / 64)) / 2 ^ 53 })
end

function TestStream.test_moments()
  local stream, n = Stream.new(1, "moments", 0), 20000
  local sum, squares, normal, normal_squares, counts = 0, 0, 0, 0, { [0] = 0, 0, 0 }
  for _ = 1, n do
    local u, z = stream:uniform(), stream:normal()
    sum, squares, normal, normal_squares = sum + u, squares + u * u, normal + z, normal_squares + z * z
    lu.assertTrue(u >= 0 and u < 1)
    local i = stream:integer(3)
    counts[i] = counts[i] + 1
  end
  lu.assertAlmostEquals(sum / n, 1 / 2, 0.01)
  lu.assertAlmostEquals(squares / n, 1 / 3, 0.01)
  lu.assertAlmostEquals(normal / n, 0, 0.03)
  lu.assertAlmostEquals(normal_squares / n, 1, 0.05)
  for i = 0, 2 do lu.assertAlmostEquals(counts[i] / n, 1 / 3, 0.02) end
end

function TestStream.test_refusals()
  lu.assertErrorMsgEquals("stream: seed must be a whole number from 0 to 2^53, got -1", Stream.new, -1, "a", 0)
  lu.assertErrorMsgContains("number must be a whole number", Stream.new, 1, "a", 0.5)
end

os.exit(lu.LuaUnit.run())
