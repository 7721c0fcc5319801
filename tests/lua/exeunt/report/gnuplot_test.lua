-- report/gnuplot.lua: the child process: what it draws, how it fails, and that nothing of a text is ever run.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local gnuplot = require "exeunt.report.gnuplot"

TestGnuplot = {}

local SETUP = "set terminal svg size 300,200 noenhanced"

function TestGnuplot.test_text_is_quoted()
  lu.assertEquals(gnuplot.text "it's `id` $x \\n", "'it''s `id` $x \\n'")
  lu.assertEquals(gnuplot.text "two\nlines", "'two lines'")
end

function TestGnuplot.test_pictures_come_in_order()
  lu.skipIf(not gnuplot.found(), "gnuplot is not installed")
  local out = gnuplot.run { { setup = SETUP, body = "set xlabel 'first'\nplot x" }, { setup = SETUP, body = "plot -x" } }
  lu.assertEquals(#out, 2)
  lu.assertStrContains(out[1], "<text>first</text>")
  lu.assertNotStrContains(out[2], "first")                  -- the first script's settings are gone
  lu.assertStrContains(out[2], "</svg>")
end

function TestGnuplot.test_an_error_is_one_line_and_leaves_nothing()
  lu.skipIf(not gnuplot.found(), "gnuplot is not installed")
  local ok, why = pcall(gnuplot.run, { { setup = SETUP, body = "plot no_such_thing" } })
  lu.assertFalse(ok)
  lu.assertStrMatches(tostring(why), "gnuplot failed: line %d+: undefined variable: no_such_thing")
end

function TestGnuplot.test_texts_run_nothing()
  lu.skipIf(not gnuplot.found(), "gnuplot is not installed")
  local folder = command.folder()
  local evil = ([[`touch DIR/1`'; system('touch DIR/2'); print 'NEXT!touch DIR/3NEXT"); system("touch DIR/4")]])
    :gsub("DIR", folder):gsub("NEXT", "\n")
  local out = gnuplot.run { { setup = SETUP, body = "set xlabel " .. gnuplot.text(evil) .. "\nplot x title " .. gnuplot.text(evil) } }
  lu.assertStrContains(out[1], "`touch")
  for i = 1, 4 do lu.assertNil(io.open(folder .. "/" .. i)) end
  command.remove(folder)
end

function TestGnuplot.test_absent()
  local folder = command.folder()
  command.write(folder .. "/x.lua", [[print(pcall(require("exeunt.report.gnuplot").run, { { setup = "", body = "plot x" } }))]])
  local program = command.quote(os.getenv "EXEUNT" or "./exeunt")
  local result = command.shell(("PATH=%s exec %s script %s/x.lua"):format(folder, program, folder))
  lu.assertStrContains(result.out, "figures are drawn by gnuplot, which is not installed: apt-get install gnuplot-nox")
  command.remove(folder)
end

os.exit(lu.LuaUnit.run())
