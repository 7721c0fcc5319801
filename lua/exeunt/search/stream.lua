-- stream.lua: random numbers for searches, by counter: the n-th number of a stream is a function of (seed, name, number) and n
-- alone, so nothing is stored, and any trial can be drawn again by any process in any order. Random123's Philox 4x32-10
-- (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with the engine's own counter (core/base/random.c):
--     key = seed (two words), counter = (block, number low, number high, FNV-1a of the name)
-- Written in Lua, so that LuaJIT compiles it into the samplers' loops. It refuses seeds and numbers outside 0 .. 2^53.

local core = require "exeunt.core"
local bit = require "bit"
local bxor, tobit = bit.bxor, bit.tobit
local floor = math.floor

local Stream = {}
Stream.__index = Stream

local WORD, HALF = 2 ^ 32, 2 ^ 16
local M0, M1 = 0xD2511F53, 0xCD9E8D57       -- the multipliers of a round, and what the key grows by
local W0, W1 = 0x9E3779B9, 0xBB67AE85

-- The high and low word of the 64-bit product of two words; every step is exact in a double.
local function product(a, m)
  local low = a % HALF
  local upper = (a - low) / HALF * m
  local carry = upper % HALF
  local rest = low * m + carry * HALF
  local word = rest % WORD
  return (upper - carry) / HALF + (rest - word) / WORD, word
end

local function xor(a, b, c) return bxor(tobit(a), tobit(b), tobit(c)) % WORD end

-- words(c0, c1, c2, c3, k0, k1): four words of counter c and key k.
function Stream.words(c0, c1, c2, c3, k0, k1)
  for _ = 1, 10 do
    local high0, low0 = product(c0, M0)
    local high1, low1 = product(c2, M1)
    c0, c1, c2, c3 = xor(high1, c1, k0), low1, xor(high0, c3, k1), low0
    k0, k1 = (k0 + W0) % WORD, (k1 + W1) % WORD
  end
  return c0, c1, c2, c3
end

-- hash(name): FNV-1a, as core/base/random.c has it.
function Stream.hash(name)
  local h = 2166136261
  for i = 1, #name do
    local _, low = product(xor(h, name:byte(i), 0), 16777619)
    h = low
  end
  return h
end

local function whole(what, x)
  if type(x) ~= "number" or x ~= floor(x) or x < 0 or x > 2 ^ 53 then
    core.raise("stream: %s must be a whole number from 0 to 2^53, got %s", what, tostring(x))
  end
  return x
end

-- new(seed, name, number): a stream at its beginning.
function Stream.new(seed, name, number)
  whole("seed", seed)
  whole("number", number)
  return setmetatable({ k0 = seed % WORD, k1 = floor(seed / WORD), n0 = number % WORD, n1 = floor(number / WORD),
                        name = Stream.hash(name), block = 0, spare = false, high = 0, low = 0, bell = false }, Stream)
end

-- uniform(): a number in [0, 1), of 53 bits. A block of four words serves two.
function Stream:uniform()
  local high, low
  if self.spare then
    high, low, self.spare = self.high, self.low, false
  else
    high, low, self.high, self.low = Stream.words(self.block, self.n0, self.n1, self.name, self.k0, self.k1)
    self.block, self.spare = self.block + 1, true
  end
  return (floor(high / 32) * 2 ^ 26 + floor(low / 64)) / 2 ^ 53
end

-- integer(n): 0 .. n - 1.
function Stream:integer(n) return floor(self:uniform() * n) end

-- normal(): mean 0, deviation 1 (Box and Muller 1958, both of a pair used).
function Stream:normal()
  if self.bell then
    local kept = self.bell
    self.bell = false
    return kept
  end
  local radius, angle = math.sqrt(-2 * math.log(1 - self:uniform())), 2 * math.pi * self:uniform()
  self.bell = radius * math.sin(angle)
  return radius * math.cos(angle)
end

return Stream
