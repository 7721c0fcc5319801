-- seed.lua: the process's seed. Everything random draws from (seed, name of a stream): parameters under their own names,
-- tensors made at a prompt under the count of draws since the seed was set.

local core = require "exeunt.core"

local seed, draws = 420, 0

local Seed = {}

-- seed.next() -> the name of a stream that no draw has had since the seed was set.
function Seed.next()
  draws = draws + 1
  return ("tensor/%d"):format(draws)
end

-- seed([n]) -> the seed. With n: sets it; draws begin again.
return setmetatable(Seed, { __call = function(_, n)
  if n ~= nil then
    if type(n) ~= "number" or n ~= math.floor(n) or n < 0 or n > 2 ^ 53 then
      core.raise("seed: got %s, expected a whole number from 0 to 2^53", tostring(n))
    end
    seed, draws = n, 0
  end
  return seed
end })
