-- report/table.lua: alignment, formats, widths.

local lu = require "luaunit"
local tables = require "exeunt.report.table"

TestTable = {}

function TestTable.test_numbers_stand_right_and_texts_left()
  lu.assertEquals(tables.render({ "name", "count" }, { { "a", 5 }, { "long name", 12345 } }), [[
name       count
---------  -----
a              5
long name  12345
]])
end

function TestTable.test_formats()
  lu.assertEquals(tables.render({ "exit", { title = "top-1", format = "%.3f" }, { title = "MACs", format = tables.count } },
    { { "exit1", 0.5, 1234567 }, { "vote", 0.91234, 12 } }), [[
exit   top-1       MACs
-----  -----  ---------
exit1  0.500  1,234,567
vote   0.912         12
]])
end

function TestTable.test_a_row_is_one_line()
  local rows = { { 1, "it\nbroke\tdown\27[31m" } }
  lu.assertEquals(tables.render({ "n", "why" }, rows), "n  why\n-  ------------------\n1  it broke down [31m\n")
  lu.assertEquals(tables.markdown({ "n", "why" }, rows), "| n | why |\n| --: | --- |\n| 1 | it broke down [31m |\n")
  lu.assertEquals(tables.csv({ "n", "why" }, { { 1, "it\nbroke" } }), "n,why\n1,\"it\nbroke\"\n")         -- all of it, quoted
end

function TestTable.test_what_is_absent_is_a_dash()
  lu.assertEquals(tables.render({ "a", "b" }, { { nil, 1 }, { "x", nil } }), "a  b\n-  -\n-  1\nx  -\n")
end

function TestTable.test_alignment_can_be_told()
  lu.assertEquals(tables.render({ { title = "left", align = "left" }, { title = "right", align = "right" } }, { { 1, "x" } }),
    "left  right\n----  -----\n1         x\n")
end

function TestTable.test_letters_beyond_ascii_take_a_column()
  lu.assertEquals(tables.render({ "é", "n" }, { { "µs", 1 }, { "abc", 2 } }), "é    n\n---  -\nµs   1\nabc  2\n")
end

function TestTable.test_no_rows()
  lu.assertEquals(tables.render({ "a", "bc" }, {}), "a  bc\n-  --\n")
end

function TestTable.test_numbers()
  for text, n in pairs { ["0"] = 0, ["999"] = 999, ["1,000"] = 1000, ["-12,345"] = -12345, ["1,234,567,890"] = 1234567890,
                         ["inf"] = math.huge } do
    lu.assertEquals(tables.count(n), text)
  end
  for text, n in pairs { ["0 B"] = 0, ["1023 B"] = 1023, ["1.0 KiB"] = 1024, ["1.5 MiB"] = 1.5 * 2 ^ 20, ["2.0 GiB"] = 2 ^ 31 } do
    lu.assertEquals(tables.bytes(n), text)
  end
end

function TestTable.test_a_width()
  local columns = { "n", { title = "name", least = 6 }, { title = "what", least = 4, spare = 1 },
                    { title = "x", align = "right", spare = 2 } }
  local rows = { { 1, "a long name", "wörter", "12" }, { 2, "short", "wort", "3" } }
  local whole = tables.render(columns, rows)
  lu.assertEquals({ tables.render(columns, rows, 28) }, { whole, {} })
  lu.assertEquals({ tables.render(columns, rows, 21) }, { [[
n  name    what     x
-  ------  ------  --
1  a lon…  wörter  12
2  short   wort     3
]], {} })
  lu.assertEquals({ tables.render(columns, rows, 19) }, { [[
n  name    what   x
-  ------  ----  --
1  a lon…  wör…  12
2  short   wort   3
]], {} })
  lu.assertEquals({ tables.render(columns, rows, 16) }, { [[
n  name    what
-  ------  -----
1  a lon…  wört…
2  short   wort
]], { "x" } })
  lu.assertEquals({ tables.render(columns, rows, 1) }, { [[
n  name
-  ------
1  a lon…
2  short
]], { "x", "what" } })
end

local COLUMNS, ROWS = { "name", { title = "x", format = "%.1f" } }, { { "a|b", 0.5 }, { 'say "no", twice', nil } }

function TestTable.test_as_markdown()
  lu.assertEquals(tables.markdown(COLUMNS, ROWS), '| name | x |\n| --- | --: |\n| a\\|b | 0.5 |\n| say "no", twice | - |\n')
end

function TestTable.test_as_csv()
  lu.assertEquals(tables.csv(COLUMNS, ROWS), 'name,x\na|b,0.5\n"say ""no"", twice",-\n')
end

function TestTable.test_as_html()
  lu.assertEquals(tables.html(COLUMNS, { { "<a|b>", 0.5 }, { "c & d", nil } }, "what <it> is"),
    '<table>\n<caption>what &lt;it&gt; is</caption>\n<thead><tr><th scope="col">name</th><th scope="col" class="n">x</th></tr></thead>\n'
    .. '<tbody>\n<tr><td>&lt;a|b&gt;</td><td class="n">0.5</td></tr>\n<tr><td>c &amp; d</td><td class="n">-</td></tr>\n</tbody></table>\n')
end

os.exit(lu.LuaUnit.run())
