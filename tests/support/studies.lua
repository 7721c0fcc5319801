-- Studies for tests of reports, as search/store.lua gives them: made up, but of the form and size of real ones; the same every time.

local studies = {}

-- A number from 0 to 1 that looks random, by a multiplicative generator.
local function stream(seed)
  local state = seed
  return function()
    state = state * 16807 % 2147483647
    return state / 2147483647
  end
end

local space = { knobs = {
  { name = "batch", kind = "int", low = 32, high = 256 }, { name = "lr", kind = "real", low = 1e-4, high = 1e-1, log = true },
  { name = "weighting", kind = "choice", values = { "asc", "desc", "mix", "<unif>" } },
  { name = "widths", kind = "choice", values = { { 16, 32, 64 }, { 32, 64, 128 } } },
  { name = "momentum", kind = "real", low = 0, high = 0.99, only = { weighting = { "asc", "desc" } } },
} }

local function steps_of(value, n)
  local steps = {}
  for e = 1, n do steps[e] = { e, value * (1 - 0.6 * 0.5 ^ e) } end
  return steps
end

local function one(i, u, objectives)
  local k = space.knobs
  local p = { batch = 32 + math.floor(u() * 225), lr = 10 ^ (-4 + 3 * u()), weighting = k[3].values[1 + math.floor(u() * 4)],
              widths = k[4].values[1 + math.floor(u() * 2)] }
  if p.weighting == "asc" or p.weighting == "desc" then p.momentum = 0.99 * u() end
  local wide = #p.widths > 0 and p.widths[1] == 32
  local value = 0.9 - 0.06 * (math.log(p.lr / 4e-3) / math.log(10)) ^ 2 - (wide and 0 or 0.02) - 0.02 * u()
  local t = { number = i, state = "complete", params = p,
              values = { value, objectives > 1 and math.floor((wide and 2.9e7 or 7.4e6) * (0.5 + u() / 2)) or nil },
              steps = steps_of(value, 6), finish = i + 1, seen = i, worker = "w1", attempts = 1, seconds = 30 + 10 * u() }
  if i % 4 == 3 then t.state, t.steps, t.values = "stopped", steps_of(value, 2), { steps_of(value, 2)[2][2] } end
  if i % 17 == 16 then t.state, t.values, t.steps, t.error = "failed", nil, {}, "loss is <NaN> & more" end
  return t
end

-- make(n, objectives) -> study, trials: n trials of a study of 1 or 2 objectives, the last one running.
function studies.make(n, objectives)
  local document = {
    recipe = "recipes/02_<aep> & co.lua", space = space, sampler = { name = "tpe", options = { startup = 10 } },
    stop = { name = "asha", options = { reduction = 4 } }, trials = n, seed = 7, watch = "vote.val_top1",
    objective = { { maximize = "vote.val_top1" }, objectives > 1 and { minimize = "pruned.macs" } or nil },
  }
  local trials, u = {}, stream(4711)
  for i = 0, n - 1 do trials[i + 1] = one(i, u, objectives) end
  local last = trials[n]
  last.state, last.values, last.finish, last.error = "running", nil, nil, nil
  return { id = 1, name = "<b>aep</b> & co", document = document }, trials
end

return studies
