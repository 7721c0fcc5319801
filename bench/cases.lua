-- cases.lua: the cases, in the order in which they run: { name, run = function(name) -> rows, group }. A group whose cases all
-- ran ends with the geometric mean of its ratios.

local core = require "exeunt.core"
local measure = require "measure"
local sides = require "sides"

local cases = {}

local function add(name, run, group)
  cases[#cases + 1] = { name = name, run = run, group = group }
end

local NETS, PAPER = { "lenet", "vgg", "resnet20", "mobilenetv2" }, require("nets").paper

-- "vgg3", but "resnet20_3".
local function label(net, heads) return net .. (net:match "%d$" and "_" or "") .. heads end

local function with_sides(kind, peers, f, ...)
  local list = sides.start(kind, peers, ...)
  local rows = f(list)
  sides.stop(list)
  return rows
end

-- -- Training ----------------------------------------------------------------------------------------------------------

local function train_options(o)
  return { net = o.net, heads = o.heads, batch = o.batch or 64, threads = o.threads or sides.threads, width = o.width or 1 }
end

-- A whole training step. unit: images/s, or us/image where growth is looked at.
local function train(given, unit, peers_kind, seconds)
  local o = train_options(given)
  return function(case)
    return with_sides("train", sides.peers(peers_kind), function(list)
      return measure.take(case, unit, list, function(side)
        local images = o.batch * measure.block(side, seconds)
        return unit == "images/s" and images or 1e6 / images
      end)
    end, o)
  end
end

for _, net in ipairs(NETS) do
  for _, heads in ipairs { 3, 1 } do
    add(("train/%s/b64"):format(label(net, heads)), train({ net = net, heads = heads }, "images/s", "train", 0.7), "train")
  end
end

-- The paper's networks with their four exits; EfficientNet-B5 in batches of 32.
local function paper_batch(net) return net == "efficientnetB5" and 32 or 64 end
for _, net in ipairs(PAPER) do
  local batch = paper_batch(net)
  local run = train({ net = net, heads = 4, batch = batch }, "images/s", "train/paper", 1.5)
  add(("train/%s/b%d"):format(label(net, 4), batch), run, "train/paper")
end

-- -- Inference -----------------------------------------------------------------------------------------------------------

-- One image: milliseconds from input to answer. A batch: images a second.
local function infer(net, batch, peers)
  local o = { net = net, batch = batch, threads = sides.threads }
  return function(case)
    return with_sides("infer", sides.peers(peers), function(list)
      return measure.take(case, batch == 1 and "ms" or "images/s", list, function(side)
        local runs = measure.block(side, 0.35)
        return batch == 1 and 1000 / runs or batch * runs
      end)
    end, o)
  end
end

for _, batch in ipairs { 1, 64 } do
  for _, net in ipairs(NETS) do add(("infer/%s/b%d"):format(net, batch), infer(net, batch, "infer"), "infer/b" .. batch) end
end

for _, net in ipairs(PAPER) do add(("infer/%s/b1"):format(net), infer(net, 1, "infer/paper"), "infer/paper") end

-- -- Single convolutions -------------------------------------------------------------------------------------------------

-- { in, out, size, kernel, stride, groups }, batch 64.
local SHAPES = {
  { 32, 32, 32, 3, 1, 1 }, { 64, 64, 32, 3, 1, 1 }, { 32, 32, 28, 3, 1, 1 }, { 64, 64, 28, 3, 1, 1 }, { 32, 32, 16, 3, 1, 1 },
  { 64, 64, 16, 3, 1, 1 }, { 128, 128, 16, 3, 1, 1 }, { 32, 64, 14, 3, 1, 1 }, { 64, 64, 14, 3, 1, 1 }, { 128, 128, 14, 3, 1, 1 },
  { 64, 64, 8, 3, 1, 1 }, { 128, 128, 8, 3, 1, 1 }, { 256, 256, 8, 3, 1, 1 }, { 32, 64, 32, 3, 2, 1 }, { 96, 24, 16, 1, 1, 1 },
  { 64, 128, 14, 1, 1, 1 },
}
local DEPTHWISE = { { 96, 96, 32, 3, 2, 96 }, { 64, 64, 14, 3, 1, 64 }, { 144, 144, 16, 3, 1, 144 }, { 192, 192, 8, 3, 1, 192 } }

-- "64@14", "32-64@32s2", "96-24@16k1", "64@14dw"
local function shape_name(s)
  local ci, co, size, kernel, stride, groups = unpack(s)
  return ("%s@%d%s%s%s"):format(ci == co and ci or ci .. "-" .. co, size, kernel == 3 and "" or "k" .. kernel,
                                stride == 1 and "" or "s" .. stride, groups > 1 and "dw" or "")
end

-- Multiply-accumulates of one image, with those on the zeros of the border and without.
local function macs_of(s)
  local ci, co, size, kernel, stride, groups = unpack(s)
  local pad = math.floor(kernel / 2)
  local out = math.floor((size + 2 * pad - kernel) / stride) + 1
  local inside = 0                                   -- taps inside the image, along one axis, over all outputs
  for o = 0, out - 1 do
    for k = 0, kernel - 1 do
      local at = o * stride + k - pad
      if at >= 0 and at < size then inside = inside + 1 end
    end
  end
  local channels = co * ci / groups
  return channels * (out * kernel) ^ 2, channels * inside ^ 2
end

-- Useful GFLOP/s, that is without multiplications by the border's zeros. The note says the kernel and its share of the rate of
-- multiply-adds that the machine gives in the same rounds, counted without and with those zeros.
local function conv(direction, shape)
  local padded, useful = macs_of(shape)
  return function(case)
    return with_sides("conv", sides.peers "conv", function(list)
      local peaks, shares = {}, {}
      local rows = measure.take(case, "GFLOP/s", list, function(side)
        local rate = measure.block(side, 0.12) * 2 * 64 * useful / 1e9
        if side == list[1] then
          peaks[#peaks + 1] = tonumber(side.process:ask "peak")
          shares[#shares + 1] = rate / peaks[#peaks]
        end
        return rate
      end)
      local share = measure.median(shares)
      for _, row in ipairs(rows) do
        row.peak, row.of_peak, row.of_peak_padded = measure.median(peaks), share, share * padded / useful
        row.note = ("%s, %.0f %% of the peak of %.0f, %.0f %% with padding"):format(list[1].hello:sub(7), 100 * share, row.peak,
                                                                                  100 * row.of_peak_padded)
      end
      return rows
    end, direction, { 64, unpack(shape) }, sides.threads)
  end
end

for _, direction in ipairs { "fwd", "dgrad", "wgrad" } do
  local group = "conv/" .. direction
  for _, shape in ipairs(SHAPES) do add(group .. "/" .. shape_name(shape), conv(direction, shape), group) end
  for _, shape in ipairs(DEPTHWISE) do add(group .. "/" .. shape_name(shape), conv(direction, shape), group .. "/depthwise") end
end

-- -- Decoding ------------------------------------------------------------------------------------------------------------

-- 10,000 JPEG files of 64x64 pixels to pixels: ours to a cache file that training maps, theirs to one tensor.
add("decode/jpeg64", function(case)
  local folder = sides.jpegs(10000)
  if not folder then return {} end
  return with_sides("decode", sides.peers "decode", function(list)
    return measure.take(case, "images/s", list, function(side) return 10000 * measure.block(side, 0.1) end)
  end, folder)
end)

-- -- Starting, memory ----------------------------------------------------------------------------------------------------

-- Milliseconds of one start: of `exeunt --version`, and of the import that every PyTorch program begins with.
add("startup", function(case)
  return measure.take(case, "ms", { sides.ours, (sides.peers "start")[1] }, function(side)
    local runs = side == sides.ours and 20 or 1
    local start = core.C.ex_clock()
    os.execute(("i=0; while [ $i -lt %d ]; do %s; i=$((i+1)); done"):format(runs, side.start))
    return (core.C.ex_clock() - start) / runs * 1000
  end)
end)

-- Peak resident memory of a process that has made the network and trained for a block. Once: it does not drift.
local function memory(given, peers)
  local o = train_options(given)
  return function(case)
    return with_sides("train", sides.peers(peers), function(list)
      local figures, rows = {}, {}
      for i, side in ipairs(list) do
        measure.block(side, 0.5)
        figures[i] = { tonumber(side.process:ask "memory") }
      end
      for i = 2, #list do rows[i - 1] = measure.row(case, "MiB", figures[1], list[i].name, figures[i]) end
      return #rows > 0 and rows or { measure.row(case, "MiB", figures[1]) }
    end, o)
  end
end

for _, net in ipairs(NETS) do add(("memory/%s/b64"):format(label(net, 3)), memory({ net = net, heads = 3 }, "train")) end
for _, net in ipairs(PAPER) do
  local batch = paper_batch(net)
  add(("memory/%s/b%d"):format(label(net, 4), batch), memory({ net = net, heads = 4, batch = batch }, "train/paper"))
end

-- -- Searches --------------------------------------------------------------------------------------------------------------

-- Milliseconds of a trial beside its run, at 10,000 finished ones: ask, record a step, tell. `seconds`: how long a trial is said to
-- have taken; from one second on we wait for the disk at its end, as Optuna always does.
local function asks(sampler, seconds)
  return function(case)
    return with_sides("search", sides.peers "search", function(list)
      return measure.take(case, "ms/trial", list, function(side) return 1000 / measure.block(side, 0.5) end)
    end, sampler, seconds)
  end
end

for _, sampler in ipairs { "random", "tpe", "cmaes", "nsga2" } do add("search/" .. sampler, asks(sampler, 0), "search") end
add("search/random/flushed", asks("random", 1))

-- Seconds of a study of eight real trainings on one thread each: by two workers, beside one.
add("search/two-workers", function(case)
  return measure.take(case, "s", { { name = "two workers", n = 2 }, { name = "one worker", n = 1 } }, function(side)
    return sides.study(side.n)
  end, 3)                                   -- a minute a round
end)

-- -- Growth ----------------------------------------------------------------------------------------------------------------

-- Time per image of a training step of the small VGG with three heads, as one thing grows.
local function growth(what, values, width_of)
  for _, n in ipairs(values) do
    local given = width_of(n)
    given.net, given.heads = "vgg", 3
    add(("growth/%s/%d"):format(what, n), train(given, "us/image", "growth", 0.4))
  end
end

growth("batch", { 1, 2, 4, 8, 16, 32, 64, 128, 256 }, function(n) return { batch = n } end)
growth("width", { 1, 2, 4 }, function(n) return { width = n } end)
local threads = {}
for n = 1, core.C.ex_cpu_count() do if n <= 4 or n % 4 == 0 then threads[#threads + 1] = n end end
growth("threads", threads, function(n) return { threads = n } end)

return cases
