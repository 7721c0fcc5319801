-- measure.lua: how a case is taken: both sides in turn, in one run, so that a machine that drifts moves both. A round asks each
-- side once, in the other order each time; a row's ratio is the median over rounds of ours against theirs, above 1 where we
-- are ahead, whatever the unit.

local core = require "exeunt.core"
local profile = require "exeunt.profile"

local measure = { median = profile.median }

measure.rounds = tonumber(os.getenv "BENCH_ROUNDS") or 7
local QUIET = tonumber(os.getenv "BENCH_QUIET") or 2       -- seconds to wait for an idle machine before a round
local SCALE = tonumber(os.getenv "BENCH_SCALE") or 1       -- of the length of every block

-- Units of which more is better; of the others less is.
local MORE = { ["images/s"] = true, ["GFLOP/s"] = true }

function measure.note(format, ...)
  io.stderr:write(format:format(...), "\n")
end

local function cpu_ticks()
  local file = io.open "/proc/stat"
  local busy, total, i = 0, 0, 0
  for ticks in file:read("*l"):gmatch "%d+" do
    i = i + 1
    if i <= 8 then
      total = total + ticks
      if i ~= 4 and i ~= 5 then busy = busy + ticks end    -- 4 idle, 5 waiting for disks
    end
  end
  file:close()
  return busy, total
end

-- Looks whether the machine is idle, at most for QUIET seconds and at least once; says whether it is.
local function quiet()
  local start = core.C.ex_clock()
  repeat
    local busy, total = cpu_ticks()
    os.execute "sleep 0.1"
    local busy_now, total_now = cpu_ticks()
    if total_now > total and (busy_now - busy) / (total_now - total) < 0.06 then return true end
  until core.C.ex_clock() - start >= QUIET
  return false
end

-- row(case, unit, ours, peer, theirs): figures of two sides, lists with one for each round; without a peer ours alone.
function measure.row(case, unit, ours, peer, theirs)
  local row = { case = case, unit = unit, ours = measure.median(ours) }
  if not peer then return row end
  local ratios = {}
  for i = 1, #ours do
    local ahead = ours[i] / theirs[i]
    ratios[i] = MORE[unit] and ahead or 1 / ahead
  end
  row.peer, row.theirs, row.ratio = peer, measure.median(theirs), measure.median(ratios)
  return row
end

-- take(case, unit, sides, f[, rounds]): f(side) of each side in turn, ours first in `sides`; gives a row for each peer, or one for us
-- alone. Its `busy` says before how many of its `rounds` something else ran: such a row is no result.
function measure.take(case, unit, sides, f, rounds)
  rounds = math.min(rounds or measure.rounds, measure.rounds)
  local figures, busy = {}, 0
  for i in ipairs(sides) do figures[i] = {} end
  for round = 1, rounds do
    if not quiet() then busy = busy + 1 end
    for k = 1, #sides do
      local i = round % 2 == 1 and k or #sides + 1 - k
      figures[i][round] = f(sides[i])
    end
  end
  local rows = {}
  for i = 2, #sides do rows[i - 1] = measure.row(case, unit, figures[1], sides[i].name, figures[i]) end
  if #sides == 1 then rows[1] = measure.row(case, unit, figures[1]) end
  for _, row in ipairs(rows) do row.busy, row.rounds = busy, rounds end
  return rows
end

-- block(side, seconds): calls a second of a side's process in one block.
function measure.block(side, seconds)
  local calls, took = (side.process:ask(("block %g"):format(seconds * SCALE)) or ""):match "^(%d+) (%S+)$"
  if not calls then core.raise("bench: %s ended in the middle of a block", side.name) end
  return calls / took
end

-- mean(case, rows): the geometric means of ratios, a row for each peer that the rows name.
function measure.mean(case, rows)
  local sums, names = {}, {}
  for _, row in ipairs(rows) do
    if row.ratio then
      if not sums[row.peer] then
        sums[row.peer] = { count = 0, log = 0, busy = 0, rounds = 0 }
        names[#names + 1] = row.peer
      end
      local sum = sums[row.peer]
      sum.count, sum.log = sum.count + 1, sum.log + math.log(row.ratio)
      sum.busy, sum.rounds = sum.busy + (row.busy or 0), sum.rounds + (row.rounds or 0)
    end
  end
  local means = {}
  for i, name in ipairs(names) do
    local sum = sums[name]
    means[i] = { case = case, unit = ("of %d"):format(sum.count), peer = name, ratio = math.exp(sum.log / sum.count),
                 busy = sum.busy, rounds = sum.rounds }
  end
  return means
end

return measure
