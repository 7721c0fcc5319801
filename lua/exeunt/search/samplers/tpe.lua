local core = require "exeunt.core"
local options = require "exeunt.options"
local history = require "exeunt.search.history"
local Parzen = require "exeunt.search.parzen"
local Sobol = require "exeunt.search.samplers.sobol"
local Random = require "exeunt.search.samplers.random"
local Stream = require "exeunt.search.stream"

local Tpe = {}
Tpe.__index = Tpe

local T = { share = 0.1, most = 25, candidates = 24, scale = 1.0, mostspread = 1, least = 1, stop = 100, other = 1, prior = 1,
            ascale = 1.0, aleast = 1, astop = 100, startup = 10, sqrtg = 0, ei = 0, sobol = 1 , ramp = 0, mix = 0, rand = 0, aprior = 1}
for k, v in (os.getenv "TUNE" or ""):gmatch "(%w+)=([%d.]+)" do T[k] = tonumber(v) end
Tpe.T = T

function Tpe:suggest(ask)
  local shape = Parzen.shape(ask.space)
  local rows = {}
  for _, t in ipairs(ask.trials) do
    local class, a, b = history.rank(t, ask.directions)
    rows[#rows + 1] = { class = class, a = a, b = b, x = Parzen.encode(shape, t.params), number = t.number }
  end
  if #rows < T.startup or T.rand > 0 and ask.number % T.rand == 0 then
    if T.sobol == 1 then return Sobol.draw(ask.space, ask.seed, ask.number) end
    return Random.draw(ask.space, ask.seed, ask.number)
  end
  table.sort(rows, function(p, q)
    if p.class ~= q.class then return p.class < q.class end
    if p.a ~= q.a then return p.a < q.a end
    return p.number < q.number
  end)
  local n = #rows
  local good = T.sqrtg > 0 and math.ceil(T.sqrtg * math.sqrt(n)) or math.ceil(T.share * n)
  good = math.min(good, T.most)
  local below, above, wb, wa = {}, {}, {}, {}
  local worst = rows[math.min(good + 1, n)].a
  local sum = 0
  for i = 1, good do
    below[i] = rows[i].x
    wb[i] = T.ei == 1 and (worst - rows[i].a) or 1
    sum = sum + wb[i]
  end
  for i = 1, good do wb[i] = (1 - T.mix) * (sum > 0 and wb[i] / sum * good or 1) + T.mix end
  local rest = {}
  for i = good + 1, n do rest[#rest + 1] = rows[i] end
  table.sort(rest, function(p, q) return p.number < q.number end)
  for i, r in ipairs(rest) do
    above[i] = r.x
    wa[i] = 1
    if T.ramp == 1 and #rest > 25 and i <= #rest - 25 then wa[i] = 1/#rest + (1 - 1/#rest) * (i-1) / math.max(#rest - 26, 1) end
  end
  local l = Parzen.new(shape, below, wb, T.prior, { scale = T.scale, most = T.mostspread, least = T.least, stop = T.stop, other = T.other })
  local g = Parzen.new(shape, above, wa, T.aprior, { scale = T.ascale, most = 1, least = T.aleast, stop = T.astop, other = T.other })
  local stream = Stream.new(ask.seed, "search/tpe", ask.number)
  local best, score
  for _ = 1, T.candidates do
    local p, x = l:sample(ask.space, stream)
    local s = l:density(x) - g:density(x)
    if not score or s > score then best, score = p, s end
  end
  return best
end

function Tpe.new(given)
  return setmetatable({ name = "tpe", options = options.check("sampler.tpe", given, {}) }, Tpe)
end
return Tpe
