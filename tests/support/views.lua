-- Views of studies for tests of their figures: small, by hand.

local views = {}

local knobs = { { name = "lr", kind = "real", low = 1e-4, high = 1, log = true },
                { name = "scheme", kind = "choice", values = { "asc", "mix" } } }

-- make(values, maximize): complete trials 0, 1, ... with those values (lists), lr 1e-4, 1e-3, ..., scheme asc and mix in turns.
function views.make(values, maximize)
  local objectives, trials = {}, {}
  for i, more in ipairs(maximize) do objectives[i] = { path = "o" .. i, maximize = more } end
  for i, v in ipairs(values) do
    trials[i] = { number = i - 1, state = "complete", values = v, params = { lr = 10 ^ (i - 5), scheme = i % 2 == 1 and "asc" or "mix" },
                  steps = {} }
  end
  local view = { objectives = objectives, knobs = knobs, trials = trials, done = { unpack(trials) }, ranked = { unpack(trials) },
                 document = {} }
  function view.better(i, x, y)
    if maximize[i] then return x > y end
    return x < y
  end
  function view.feasible(t) return not t.constraints end
  function view.breaks(t) return t.state == "complete" and not view.feasible(t) end
  table.sort(view.ranked, function(a, b) return view.better(1, a.values[1], b.values[1]) end)
  view.best = view.ranked[1]
  return view
end

return views
