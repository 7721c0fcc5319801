-- sobol.lua: quasi-random points that fill the space evenly, one knob a dimension, in the order of the space's names; trial n
-- takes point n. Sobol's sequence with the initial numbers of Joe and Kuo ("Constructing Sobol sequences with better two-
-- dimensional projections", SIAM J. Sci. Comput. 30, 2008), in the order of Gray codes (Antonov and Saleev 1979), and Owen's
-- nested scrambling by the seed (Owen 1995): each bit is flipped or not by a random bit of the bits before it, which keeps the
-- evenness and makes other seeds other points. `scramble = false` gives the published sequence.
-- It looks at no trials, and refuses spaces of more knobs than it has initial numbers for.

local core = require "exeunt.core"
local bit = require "bit"
local options = require "exeunt.options"
local Stream = require "exeunt.search.stream"
local band, bxor, lshift, rshift = bit.band, bit.bxor, bit.lshift, bit.rshift

local Sobol = {}
Sobol.__index = Sobol

local BITS = 32

-- Joe and Kuo's initial numbers m_1 .. m_s of dimensions 2, 3, ...; the first dimension has none.
local initial = {
  { 1 }, { 1, 3 }, { 1, 3, 1 }, { 1, 1, 1 }, { 1, 1, 3, 3 }, { 1, 3, 5, 13 }, { 1, 1, 5, 5, 17 }, { 1, 1, 5, 5, 5 },
  { 1, 1, 7, 11, 19 }, { 1, 1, 5, 1, 1 }, { 1, 1, 1, 3, 11 }, { 1, 3, 5, 5, 31 }, { 1, 3, 3, 9, 7, 49 }, { 1, 1, 1, 15, 21, 21 },
  { 1, 3, 1, 13, 27, 49 }, { 1, 1, 1, 15, 7, 5 }, { 1, 3, 1, 15, 13, 25 }, { 1, 1, 5, 5, 19, 61 }, { 1, 3, 7, 11, 23, 15, 103 },
  { 1, 3, 7, 13, 13, 15, 69 }, { 1, 1, 3, 13, 7, 35, 63 }, { 1, 3, 5, 9, 1, 25, 53 }, { 1, 3, 1, 13, 9, 35, 107 },
  { 1, 3, 1, 5, 27, 61, 31 }, { 1, 1, 5, 11, 19, 41, 61 }, { 1, 3, 5, 3, 3, 13, 69 }, { 1, 1, 7, 13, 1, 19, 1 },
  { 1, 3, 7, 5, 13, 19, 59 }, { 1, 1, 3, 9, 25, 29, 41 }, { 1, 3, 5, 13, 23, 1, 55 }, { 1, 3, 7, 3, 13, 59, 17 },
  { 1, 3, 1, 3, 5, 53, 69 }, { 1, 1, 5, 5, 23, 33, 13 }, { 1, 1, 7, 7, 1, 61, 123 }, { 1, 1, 7, 9, 13, 61, 49 },
  { 1, 3, 3, 5, 3, 55, 33 }, { 1, 3, 1, 15, 31, 13, 49, 245 }, { 1, 3, 5, 15, 31, 59, 63, 97 }, { 1, 3, 1, 11, 11, 11, 77, 249 },
}
Sobol.dimensions = #initial + 1

-- Whether a polynomial over the field of two elements, its coefficients the bits of p, is primitive: the powers of x modulo
-- it come back to 1 after 2^degree - 1 steps and no sooner.
local function primitive(p, degree)
  local x, last = 1, 2 ^ degree - 1
  for step = 1, last do
    x = lshift(x, 1)
    if rshift(x, degree) == 1 then x = bxor(x, p) end
    if x == 1 then return step == last end
  end
  return false
end

-- The primitive polynomials by degree and size: one for each dimension from the second on.
local function polynomials(count)
  local list, degree = {}, 1
  while #list < count do
    for p = 2 ^ degree + 1, 2 ^ (degree + 1) - 1, 2 do
      if #list < count and primitive(p, degree) then list[#list + 1] = { p = p, degree = degree } end
    end
    degree = degree + 1
  end
  return list
end

-- The direction numbers of a dimension: m_i shifted to the top of a word. Bratley and Fox 1988, equation 2:
--     m_i = 2 a_1 m_{i-1} xor 4 a_2 m_{i-2} xor ... xor 2^s m_{i-s} xor m_{i-s}
local function directions(m, polynomial)
  local v = {}
  for i = 1, BITS do
    if not m then v[i] = 1
    elseif i <= polynomial.degree then v[i] = m[i]
    else
      local s = polynomial.degree
      local x = bxor(v[i - s], lshift(v[i - s], s))
      for k = 1, s - 1 do
        if band(rshift(polynomial.p, s - k), 1) == 1 then x = bxor(x, lshift(v[i - k], k)) end
      end
      v[i] = x
    end
  end
  for i = 1, BITS do v[i] = lshift(v[i], BITS - i) end
  return v
end

local table_of_directions

local function all_directions()
  if not table_of_directions then
    table_of_directions = { directions() }
    for i, polynomial in ipairs(polynomials(#initial)) do table_of_directions[i + 1] = directions(initial[i], polynomial) end
  end
  return table_of_directions
end

-- word(number, dimension): the unscrambled point as a word of 32 bits, its first bit worth a half.
local function word(number, dimension)
  local v, gray, x = all_directions()[dimension], bxor(number, rshift(number, 1)), 0
  for i = 1, BITS do
    if band(rshift(gray, i - 1), 1) == 1 then x = bxor(x, v[i]) end
  end
  return x
end

-- Owen's scrambling: the flip of bit i is a bit of the random word at (i, the bits before it).
local function scrambled(x, seed, name)
  local key_low, key_high, hash, out = seed % 2 ^ 32, math.floor(seed / 2 ^ 32), Stream.hash("sobol/" .. name), x
  for i = 0, BITS - 1 do
    local before = i == 0 and 0 or rshift(x, BITS - i)
    local random = Stream.words(before % 2 ^ 32, i, 0, hash, key_low, key_high)
    if random % 2 == 1 then out = bxor(out, lshift(1, BITS - 1 - i)) end
  end
  return out
end

-- unit(number, dimension[, seed, name]): coordinate `dimension` (from 1) of point `number` (from 0), in [0, 1); scrambled where
-- a seed and the knob's name are given.
function Sobol.unit(number, dimension, seed, name)
  local x = word(number, dimension)
  if seed then x = scrambled(x, seed, name) end
  return x % 2 ^ 32 / 2 ^ 32
end

-- draw(space, seed or nil, number): a point.
function Sobol.draw(space, seed, number)
  if #space.names > Sobol.dimensions then
    core.raise("sampler.sobol: at most %d knobs, the space has %d; take sampler.random", Sobol.dimensions, #space.names)
  end
  local dimension = {}
  for i, name in ipairs(space.names) do dimension[name] = i end
  return space:make(function(name, dist) return dist:from_unit(Sobol.unit(number, dimension[name], seed, name)) end)
end

function Sobol:suggest(ask) return Sobol.draw(ask.space, self.options.scramble and ask.seed or nil, ask.number) end

-- new { scramble = true }
function Sobol.new(given)
  local o = options.check("sampler.sobol", given, { scramble = true })
  return setmetatable({ name = "sobol", options = o, independent = true }, Sobol)
end

return Sobol
