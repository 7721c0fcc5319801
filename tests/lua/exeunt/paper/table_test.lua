-- table_test.lua: the table of records whose numbers are worked by hand.

local lu = require "luaunit"
local ex = require "exeunt"

TestTable = {}

local function entry(top1, params, macs, latency, exits)
  return { test_top1 = top1, params = params, macs = macs, latency_ms = latency, exits = exits }
end

local function record(net, scheme, seed, full, pruned)
  return { cell = { net = net, data = "d", size = 64, regime = "tr", scheme = scheme, seed = seed, tie = "paper" },
           result = { full = full, pruned = pruned } }
end

-- Network x: accuracy +10 % and +30 %, half of the parameters; network y: accuracy as it was, all of the parameters.
local function records()
  return {
    record("x", "se", 1, entry(0.5, 100, 1000, 2, { 1 })), record("x", "se", 2, entry(0.4, 100, 1000, 2, { 1 })),
    record("y", "se", 1, entry(0.8, 10, 50, 1, { 1 })),
    record("x", "mix", 1, entry(0.6, 120, 1100, 3), entry(0.55, 50, 900, 1, { 2 })),
    record("x", "mix", 2, entry(0.6, 120, 1100, 3), entry(0.52, 50, 900, 1, { 1, 2 })),
    record("y", "mix", 1, entry(0.8, 11, 51, 1), entry(0.8, 10, 50, 1.5, { 2 })),
  }
end

function TestTable:test_changes_by_hand()
  local t = ex.paper.table(records())
  lu.assertEquals(#t.rows, 1)
  lu.assertEquals(#t.cells, 2)
  local row, x = t.rows[1], t.cells[1]
  lu.assertAlmostEquals(x.mean.accuracy, 0.2, 1e-12)
  lu.assertAlmostEquals(row.mean.accuracy, 0.1, 1e-12)
  lu.assertAlmostEquals(row.mean.params, -0.25, 1e-12)
  lu.assertAlmostEquals(row.mean.macs, -0.05, 1e-12)
  lu.assertAlmostEquals(row.mean.latency, 0, 1e-12)
  lu.assertAlmostEquals(row.half.accuracy, 12.7062 * 0.2 / math.sqrt(2) / math.sqrt(2), 1e-4)
  lu.assertEquals(x.subsets, { "2", "1+2" })
end

function TestTable:test_the_paired_test_pairs_seeds()
  local x = ex.paper.table(records()).cells[1]
  lu.assertAlmostEquals(x.paired.mean, (0.05 + 0.12) / 2, 1e-12)
  local deviation = 0.07 / math.sqrt(2)
  lu.assertAlmostEquals(x.paired.p, 1 - 2 / math.pi * math.atan(x.paired.mean / deviation * math.sqrt(2)), 1e-9)
end

function TestTable:test_cells_without_their_single_exit_are_left_out_and_counted()
  local list = records()
  table.remove(list, 3)
  local t = ex.paper.table(list)
  lu.assertEquals({ #t.cells, t.alone }, { 1, 1 })
  lu.assertStrContains(t:text(), "1 finished cells are left out")
end

function TestTable:test_other_settings_are_other_cells()
  local list = records()
  for i = 1, 3 do list[i].cell.epochs = 5 end
  lu.assertEquals(#ex.paper.table(list).cells, 0)
end

function TestTable:test_the_paper_stands_beside_it()
  local t = ex.paper.table(records())
  lu.assertStrContains(t:text(), "+13.3 -41.0 -17.9 -16.3")
  lu.assertEquals(t:document().table[1].paper_percent, { 13.3, -41.0, -17.9, -16.3 })
end

function TestTable:test_it_says_who_trained_its_cells()
  local list = records()
  local note = "Trained with instruction sets that their records do not say (6 cells)."
  lu.assertStrContains(ex.paper.table(list):text(), note .. "\n")
  for i, r in ipairs(list) do r.made = { version = "0.1.0", isa = i < 3 and "avx512" or "avx2", exact = i == 6 } end
  list[1].made = nil
  local t = ex.paper.table(list)
  lu.assertStrContains(t:markdown(), "Trained with avx2 kernels of version 0.1.0 (3 cells), avx2 kernels (exact) of version 0.1.0 "
    .. "(1 cell), avx512 kernels of version 0.1.0 (1 cell), instruction sets that their records do not say (1 cell). Other instruction "
    .. "sets round otherwise")
  local made = t:document().made_by
  lu.assertEquals(made[1], { version = "0.1.0", isa = "avx2", exact = false, cells = 3 })
  lu.assertEquals({ #made, made[4].cells }, { 4, 1 })
end

function TestTable:test_as_markdown_and_csv()
  local t = ex.paper.table(records())
  lu.assertStrContains(t:markdown(), "| tr | 64 | mix | 2 | +10.0 +- 127.1 | -25.0 | -5.0 | +0.0 |")
  local lines = {}
  for line in t:csv():gmatch "[^\n]+" do lines[#lines + 1] = line end
  lu.assertEquals(#lines, 3)
  lu.assertStrContains(lines[2], 'x,d,64,tr,mix,2,45.00,53.50,')
  lu.assertStrContains(lines[2], '"2, 1+2",paper')
end

os.exit(lu.LuaUnit.run())
