-- report/progress.lua: the line, its clock and where it is written. The clock is the test's own.

local lu = require "luaunit"
local progress = require "exeunt.report.progress"

TestProgress = {}

-- A stream that remembers, and a clock that is told the time.
local function fake()
  local written = {}
  local stream = { write = function(_, ...) written[#written + 1] = table.concat { ... } end, flush = function() end }
  return stream, written
end

function TestProgress.test_the_line()
  lu.assertEquals(progress.line("epoch 1/2", 50, 200, 0, 10, "images", "loss 0.50"),
    "epoch 1/2  [======                  ]  50/200  5 images/s  30s left  loss 0.50")
  lu.assertEquals(progress.line("", 0, 10, 0, 0, "items"), "  [                        ]  0/10")
  lu.assertEquals(progress.line("x", 10, 10, 0, 5, "items"), "x  [========================]  10/10  2 items/s  0s left")
end

-- What was done before the clock started counts towards the bar, not towards the rate.
function TestProgress.test_a_resumed_job()
  lu.assertEquals(progress.line("x", 150, 200, 100, 10, "items"), "x  [==================      ]  150/200  5 items/s  10s left")
end

function TestProgress.test_durations()
  for text, seconds in pairs { ["0s"] = 0.2, ["59s"] = 59, ["1m 00s"] = 59.7, ["2m 05s"] = 125, ["2h 03m"] = 7380 } do
    lu.assertEquals(progress.duration(seconds), text)
  end
end

function TestProgress.test_it_writes_at_most_ten_times_a_second()
  local stream, written = fake()
  local now = 100
  local bar = progress.new { total = 1000, stream = stream, width = 80, clock = function() return now end }
  for i = 1, 100 do
    bar:update(i)
    now = now + 0.01
  end
  lu.assertTrue(#written >= 9 and #written <= 11, #written)
  lu.assertStrMatches(written[1], "\r.*1/1000.*\27%[K")
  bar:finish()
  lu.assertEquals(written[#written], "\r\27[K")
end

function TestProgress.test_it_stays_in_the_line()
  local stream, written = fake()
  local bar = progress.new { total = 10, label = ("x"):rep(100), stream = stream, width = 40, clock = function() return 0 end }
  bar:update(1)
  lu.assertEquals(#written[1]:match "\r(.*)\27%[K", 39)
end

function TestProgress.test_any_line_can_be_cleared()
  local stream, written = fake()
  progress.new({ total = 10, stream = stream, width = 80, clock = function() return 0 end }):update(1)
  progress.clear()
  progress.clear()
  lu.assertEquals({ #written, written[2] }, { 2, "\r\27[K" })
end

function TestProgress.test_nothing_is_cleared_that_was_not_shown()
  local stream, written = fake()
  progress.new({ total = 1, stream = stream, clock = function() return 0 end }):finish()
  lu.assertEquals(written, {})
end

function TestProgress.test_elsewhere_than_on_a_terminal_it_is_silent()
  local command = dofile "tests/support/command.lua"
  local folder = command.folder()
  command.write(folder .. "/bar.lua", [[
    local bar = require("exeunt.report.progress").new { total = 2 }
    bar:update(1)
    bar:finish()
    print "done"
  ]])
  local result = command.run("script " .. folder .. "/bar.lua")
  command.remove(folder)
  lu.assertEquals({ result.out, result.err, result.code }, { "done\n", "", 0 })
end

os.exit(lu.LuaUnit.run())
