-- Runs for tests of reports: the document and the log's lines of a small run with three exits, and of others; made up, of the form
-- that result.lua and runlog.lua write.

local runs = {}

local function line(train, epoch, exits)
  local out = { train = train, epoch = epoch, loss = 2 / epoch, val_loss = 2.1 / epoch, lr = 0.004 / epoch, exits = {},
                vote = { val_top1 = 0.7 + 0.05 * epoch } }
  for i = 1, exits do
    out.exits[i] = { name = "exit" .. i, loss = 2.2 / epoch, val_loss = 2.3 / epoch / i, train_top1 = 0.5 + 0.04 * epoch,
                     val_top1 = 0.4 + 0.05 * epoch + 0.1 * i }
  end
  return out
end

-- log(names, epochs, exits): lines of trainings.
function runs.log(names, epochs, exits)
  local lines = {}
  for _, name in ipairs(names) do
    for e = 1, epochs do lines[#lines + 1] = line(name, e, exits) end
  end
  return lines
end

local subsets = { { { 3 }, 0.8284, 29128448, 288170 }, { { 2 }, 0.786, 18289792, 65834 }, { { 2, 3 }, 0.8233, 29129088, 288820 },
                  { { 1 }, 0.5767, 7451456, 9962 }, { { 1, 2 }, 0.7814, 18290112, 66164 } }

-- document(): of the main recipe, with a name that HTML must escape.
function runs.document()
  local doc = {
    recipe = "recipes/<i>aep</i> & \"co\".lua", seed = 420, knobs = { epochs = 3, lr = 0.004, widths = { 32, 64, 128 } },
    run_dir = "/somewhere", train = { epochs = 3, seconds = 62, images_per_s = 3900 },
    exits = { { name = "exit1", val_top1 = 0.5767, test_top1 = 0.5691 }, { name = "exit2", val_top1 = 0.786, test_top1 = 0.7815 },
              { name = "exit3", val_top1 = 0.8284, test_top1 = 0.8243 } },
    vote = { val_top1 = 0.8217, test_top1 = 0.8158 },
    baseline = { val_top1 = 0.8544, test_top1 = 0.8446, params = 288170, macs = 29128448, latency_ms = 1.38 },
    subsets = {}, full = { exits = { 1, 2, 3 }, test_top1 = 0.8158, params = 289150, macs = 29129408, latency_ms = 1.48 },
    pruned = { exits = { 3 }, test_top1 = 0.8243, params = 288170, macs = 29128448, latency_ms = 1.15 },
    environment = { cpu = "a CPU", isa = "avx2", threads = 2, version = "0.1.0", luajit = "LuaJIT" },
  }
  for i, s in ipairs(subsets) do doc.subsets[i] = { exits = s[1], val_top1 = s[2], val_top5 = 0.99, macs = s[3], params = s[4] } end
  return doc
end

-- cells(): of a run of many trainings: two labels, two seeds each.
function runs.cells()
  local cells = {}
  for i, label in ipairs { "mix", "mix", "baseline", "baseline" } do
    local cell = runs.document()
    cell.label, cell.seed = label, 420 + i
    cell.full.test_top1, cell.exits[3].test_top1 = 0.8 + 0.01 * i, 0.79 + 0.01 * i
    if label == "baseline" then cell.pruned = nil end
    cells[i] = cell
  end
  return { recipe = "recipes/03_weightings.lua", seed = 420, cells = cells }
end

-- paper(): of a run whose result is the paper's table.
function runs.paper()
  local function change(x) return { accuracy = x, params = -x, macs = -x / 2, latency = -x / 3 } end
  return { recipe = "recipes/11_paper_table.lua", seed = 420, left_out = 0, table = {
    { regime = "tr", size = 64, scheme = "mix", cells = 4, change = change(0.12), half95 = change(0.03),
      paper_percent = { 13.3, -41, -17.9, -16.3 } },
    { regime = "tr", size = 0, scheme = "asc", cells = 1, change = change(0.05), half95 = {} },
  } }
end

return runs
