-- profile.lua: where the time of a plan's runs goes. Every second run is timed node by node, the others as a whole, so that
-- the cost of looking shows and a machine that drifts moves both. Figures are medians over runs, seconds.
-- It prints nothing (cli/plan.lua does) and judges nothing.

local core = require "exeunt.core"
local options = require "exeunt.options"
local C = core.C

local profile = {}

local WARM = 3                             -- runs before the first that counts
local SECONDS, LEAST = 2, 5                -- without `steps`: so long, and at least so many of each kind

-- median(list): of numbers; the list stays as it is. NaN of none.
function profile.median(list)
  local sorted = { unpack(list) }
  table.sort(sorted)
  local n = #sorted
  if n == 0 then return 0 / 0 end
  return n % 2 == 1 and sorted[(n + 1) / 2] or (sorted[n / 2] + sorted[n / 2 + 1]) / 2
end

-- The runs: whole[k] and timed[k] are seconds of a run, nodes[k][i] those of node i in timed run k, waited[k] of waiting.
local function take(plan, o)
  local got = { whole = {}, timed = {}, nodes = {}, waited = {} }
  local begun = C.ex_clock()
  local function enough()
    if o.steps then return #got.timed >= o.steps end
    return #got.timed >= LEAST and C.ex_clock() - begun >= SECONDS
  end
  for _ = 1, WARM do o.run() end
  while not enough() do
    for _, kind in ipairs { "whole", "timed" } do
      plan:profile(kind == "timed")
      local seconds, waited = o.run()
      table.insert(got[kind], seconds)
      table.insert(got.waited, waited or 0)
      if kind == "timed" then table.insert(got.nodes, plan:seconds()) end
    end
  end
  plan:profile(false)
  return got
end

-- Median and least of node i's seconds.
local function of_node(runs, i)
  local list = {}
  for k, nodes in ipairs(runs) do list[k] = nodes[i] end
  return profile.median(list), math.min(unpack(list))
end

-- What a node did in `seconds` for n images of a plan's largest batch: FLOP/s where it multiplies, else bytes/s.
local function rates(node, seconds, n, batch)
  if seconds <= 0 or node.kernel == "alias" then return nil, nil end
  if node.macs > 0 then return 2 * node.macs * n / seconds, nil end
  return nil, node.traffic * n / batch / seconds
end

-- of(plan, { run = function, n = images in a run [, steps] }): run() makes one run of n images and gives its seconds, and
-- where there is a loader those that it waited for the batch before. steps: how many runs of each kind count.
--   -> { steps, n, threads, step, timed_step, wait, nodes_seconds, images_per_s, flops, peak_flops,
--        nodes = plan:nodes() with seconds, best, share (of timed_step), flops or bandwidth }
-- best is the least of the runs: where the machine is busy, it says more than the median. step is a whole run without
-- timed nodes, timed_step one with them; images_per_s counts the waiting.
function profile.of(plan, given)
  local o = options.check("profile", given, { run = options.required, n = options.required, steps = options.optional })
  local got, info = take(plan, o), plan:info()
  local p = { steps = #got.timed, n = o.n, threads = info.threads, step = profile.median(got.whole),
              timed_step = profile.median(got.timed), wait = profile.median(got.waited), nodes_seconds = 0, nodes = plan:nodes() }
  for i, node in ipairs(p.nodes) do
    node.seconds, node.best = of_node(got.nodes, i)
    p.nodes_seconds = p.nodes_seconds + node.seconds
    node.flops, node.bandwidth = rates(node, node.seconds, o.n, info.batch)
  end
  for _, node in ipairs(p.nodes) do node.share = node.seconds / p.timed_step end
  p.images_per_s = o.n / (p.step + p.wait)
  p.flops = 2 * info.macs * o.n / p.step
  p.peak_flops = C.ex_peak_flops(plan.threads)
  return p
end

-- training(training, steps): the profile of a training that has not begun (run.plan_of), on its own data: batches come
-- from its loader, in the order of its first epochs. Its network's weights move; nothing is written.
function profile.training(training, steps)
  local step, r = training.step, training.record
  local full, epoch = math.min(training.options.batch, training.data.train.count), 0
  training:open_loader()
  local loader = training.loader
  local function begin_epoch()
    epoch = epoch + 1
    training:weigh(epoch)
    loader:start(training:order(epoch), training.seed, epoch, 0)
  end
  local function next_full()               -- the last batch of an epoch may be smaller: it is passed over
    local n
    repeat
      n = loader:next()
      if not n then begin_epoch() end
    until n == full
  end
  local function run()
    local before = loader:wait()
    next_full()
    local waited = math.max(0, loader:wait() - before)       -- a new epoch counts from zero
    local from = C.ex_clock()
    r.step = r.step + 1
    step:run(full, training.seed, r.step, training.options.schedule(r.step - 1, training.steps, epoch))
    return C.ex_clock() - from, waited
  end
  begin_epoch()
  local made = profile.of(step.plan, { run = run, n = full, steps = steps })
  loader:free()
  return made
end

-- -- Hot spots ---------------------------------------------------------------------------------------------------------

local function hottest(list, count)
  table.sort(list, function(a, b)
    if a.seconds ~= b.seconds then return a.seconds > b.seconds end
    return a.name < b.name
  end)
  for i = #list, (count or #list) + 1, -1 do list[i] = nil end
  return list
end

-- by_operator(p, batch): a row for each pair of operator and kernel: { name, kernel, count, seconds, best, share, flops,
-- bandwidth }, hottest first; the rates are of all its nodes together.
function profile.by_operator(p, batch)
  local rows, at = {}, {}
  for _, node in ipairs(p.nodes) do
    local key = node.op .. "\0" .. node.kernel
    local row = at[key]
    if not row then
      row = { name = node.op, kernel = node.kernel, count = 0, seconds = 0, best = 0, share = 0, macs = 0, traffic = 0 }
      at[key], rows[#rows + 1] = row, row
    end
    row.count, row.seconds, row.share = row.count + 1, row.seconds + node.seconds, row.share + node.share
    row.best = row.best + node.best
    row.macs, row.traffic = row.macs + node.macs, row.traffic + node.traffic
  end
  for _, row in ipairs(rows) do row.flops, row.bandwidth = rates(row, row.seconds, p.n, batch) end
  return hottest(rows)
end

-- by_node(p, count): the hottest nodes, as they are in p.nodes.
function profile.by_node(p, count)
  return hottest({ unpack(p.nodes) }, count)
end

return profile
