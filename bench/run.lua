-- run.lua [--json] [CASE...]: the benchmark. Each case is taken by us and by each peer in turn, in one run: a round is ours,
-- then each peer's, and the ratio is the median over rounds of ours / theirs, so that a machine that drifts moves both
-- sides. Before each block it waits a little for the machine to be idle, and says when it was not.
-- It judges nothing: bench/README.md says what the figures mean.

package.path = "bench/?.lua;" .. package.path
local core = require "exeunt.core"
local process = require "process"

local ROUNDS = tonumber(os.getenv "BENCH_ROUNDS") or 7
local BLOCK = tonumber(os.getenv "BENCH_SECONDS") or 0.7   -- of one timed block of training
local QUIET = tonumber(os.getenv "BENCH_QUIET") or 3       -- seconds to wait for an idle machine before a block

local PROGRAM = os.getenv "EXEUNT" or "./exeunt"
local NO_TORCH = "python3-torch is not installed: apt-get install python3-torch (or let `make bench` do it)"

local function note(format, ...)
  io.stderr:write(format:format(...), "\n")
end

-- -- Peers -----------------------------------------------------------------------------------------

local function has_torch()
  return process.line_of "/usr/bin/python3 -c 'import importlib.util as u; print(u.find_spec(\"torch\") is not None)' 2>/dev/null" == "True"
end

-- The fair peer takes the best kernels that this CPU can run.
local function tuned_mode()
  return core.ffi.string(core.C.ex_isa_available()):find "avx512" and "tuned512" or "tuned"
end

-- { name, start(net, heads, batch) -> command, import -> command } of each peer that is here.
local function find_peers()
  if not has_torch() then
    note("%s", NO_TORCH)
    return {}
  end
  local function peer(name, mode, layout)
    local run = "bench/peers/ptenv.sh " .. mode
    return {
      name = name,
      train = function(net, heads, batch) return ("%s bench/peers/pt_train.py %s %d %d %s"):format(run, net, heads, batch, layout) end,
      start = run .. " -c 'import torch'",
    }
  end
  return { peer("pytorch-tuned", tuned_mode(), "nhwc"), peer("pytorch-default", "default", "nchw") }
end

local ours = {
  name = "exeunt",
  train = function(net, heads, batch) return ("%s script bench/train.lua %s %d %d"):format(PROGRAM, net, heads, batch) end,
  start = PROGRAM .. " --version >/dev/null",
}

-- -- Measuring -------------------------------------------------------------------------------------

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

-- Waits until the machine is idle, at most QUIET seconds; says whether it is.
local function quiet()
  local start = core.C.ex_clock()
  while core.C.ex_clock() - start < QUIET do
    local busy, total = cpu_ticks()
    os.execute "sleep 0.15"
    local busy_now, total_now = cpu_ticks()
    if total_now > total and (busy_now - busy) / (total_now - total) < 0.06 then return true end
  end
  return QUIET <= 0
end

local function median(list)
  local sorted = { unpack(list) }
  table.sort(sorted)
  local n = #sorted
  return n % 2 == 1 and sorted[(n + 1) / 2] or (sorted[n / 2] + sorted[n / 2 + 1]) / 2
end

-- rounds(sides, take): ROUNDS times, take(side) of each side in turn; gives a row for each peer (sides after the first).
local function rounds(case, unit, sides, take)
  local figures, noisy = {}, 0
  for i in ipairs(sides) do figures[i] = {} end
  for round = 1, ROUNDS do
    for i, side in ipairs(sides) do
      if not quiet() then noisy = noisy + 1 end
      figures[i][round] = take(side)
    end
  end
  if noisy > 0 then note("%s: the machine was busy before %d of %d blocks", case, noisy, ROUNDS * #sides) end
  local rows = {}
  for i = 2, #sides do
    local ratios = {}
    for round = 1, ROUNDS do ratios[round] = figures[1][round] / figures[i][round] end
    rows[i - 1] = { case = case, ours = median(figures[1]), peer = sides[i].name, theirs = median(figures[i]), unit = unit,
                    ratio = median(ratios) }
  end
  if #sides == 1 then rows[1] = { case = case, ours = median(figures[1]), unit = unit } end
  return rows
end

-- -- Cases -----------------------------------------------------------------------------------------

-- Starts the training processes of all sides; a side that does not come up is an error here, ours or not.
local function start_training(peers, net, heads, batch)
  local sides = {}
  for i, side in ipairs { ours, unpack(peers) } do
    local p = process.start(side.train(net, heads, batch))
    if not (p:read() or ""):find "^ready" then core.raise("bench: %s did not start", side.name) end
    sides[i] = { name = side.name, process = p }
  end
  return sides
end

local function stop(sides)
  for _, side in ipairs(sides) do side.process:stop() end
end

local function ask_block(side, batch)
  local steps, seconds = (side.process:ask(("block %g"):format(BLOCK)) or ""):match "^(%d+) (%S+)$"
  if not steps then core.raise("bench: %s ended in the middle of a block", side.name) end
  return steps * batch / seconds
end

local function train_case(net, heads, batch)
  return function(case, peers)
    local sides = start_training(peers, net, heads, batch)
    local rows = rounds(case, "images/s", sides, function(side) return ask_block(side, batch) end)
    stop(sides)
    return rows
  end
end

-- Peak resident memory of a process that has made the network and trained for a block. Once: it does not drift.
local function memory_case(net, heads, batch)
  return function(case, peers)
    local sides, rows, figures = start_training(peers, net, heads, batch), {}, {}
    for i, side in ipairs(sides) do
      ask_block(side, batch)
      figures[i] = tonumber(side.process:ask "memory")
    end
    stop(sides)
    for i = 2, #sides do
      rows[i - 1] = { case = case, ours = figures[1], peer = sides[i].name, theirs = figures[i], unit = "MiB",
                      ratio = figures[1] / figures[i] }
    end
    return #rows > 0 and rows or { { case = case, ours = figures[1], unit = "MiB" } }
  end
end

-- Milliseconds of one start: of `exeunt --version`, and of the import that every PyTorch program begins with.
local function startup_case(case, peers)
  local function take(side)
    local runs = side == ours and 20 or 1
    local start = core.C.ex_clock()
    os.execute(("i=0; while [ $i -lt %d ]; do %s; i=$((i+1)); done"):format(runs, side.start))
    return (core.C.ex_clock() - start) / runs * 1000
  end
  return rounds(case, "ms", { ours, peers[1] }, take)
end

local cases = {
  { "train/vgg3/b64", train_case("vgg", 3, 64) },
  { "train/vgg1/b64", train_case("vgg", 1, 64) },
  { "train/lenet3/b64", train_case("lenet", 3, 64) },
  { "train/lenet1/b64", train_case("lenet", 1, 64) },
  { "train/resnet20_3/b64", train_case("resnet20", 3, 64) },
  { "train/resnet20_1/b64", train_case("resnet20", 1, 64) },
  { "startup", startup_case },
  { "memory/vgg3/b64", memory_case("vgg", 3, 64) },
}

-- -- Output ----------------------------------------------------------------------------------------

local function show(x)
  return x and (x >= 100 and ("%.0f"):format(x) or ("%.2f"):format(x)) or "-"
end

local function print_table(rows)
  local format = "%-22s %9s  %-16s %9s  %-9s %6s"
  print(format:format("case", "ours", "peer", "theirs", "unit", "ratio"))
  for _, r in ipairs(rows) do
    print(format:format(r.case, show(r.ours), r.peer or "none here", show(r.theirs), r.unit, r.ratio and ("%.2f"):format(r.ratio) or "-"))
  end
  print("ratio = ours / theirs, the median over rounds: more is better for images/s, less for ms and MiB")
end

local function print_json(rows)
  for _, r in ipairs(rows) do
    print(('{"case":"%s","ours":%.6g,"peer":%s,"theirs":%s,"unit":"%s","ratio":%s}'):format(r.case, r.ours,
      r.peer and '"' .. r.peer .. '"' or "null", r.theirs and ("%.6g"):format(r.theirs) or "null", r.unit,
      r.ratio and ("%.4g"):format(r.ratio) or "null"))
  end
end

local function main(arguments)
  local as_json, wanted, known = false, {}, {}
  for _, c in ipairs(cases) do known[c[1]] = true end
  for _, a in ipairs(arguments) do
    if a == "--json" then as_json = true
    elseif known[a] then wanted[a], wanted.any = true, true
    else
      local names = {}
      for i, c in ipairs(cases) do names[i] = c[1] end
      core.raise("bench: no case %s; there are %s", a, table.concat(names, " "))
    end
  end
  local peers, rows = find_peers(), {}
  for _, c in ipairs(cases) do
    if wanted[c[1]] or not wanted.any then
      note("%s ...", c[1])
      local found = c[2](c[1], peers)
      for _, row in ipairs(found) do rows[#rows + 1] = row end
      if as_json then print_json(found) end
    end
  end
  if not as_json then print_table(rows) end
end

local ok, message = pcall(main, arg)
process.finish()
if not ok then error(message, 0) end
