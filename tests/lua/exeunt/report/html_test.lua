-- report/html.lua: escaping.

local lu = require "luaunit"
local html = require "exeunt.report.html"

TestHtml = {}

function TestHtml.test_what_html_reads_is_escaped()
  lu.assertEquals(html.escape [[<a href="x" id='y'>&amp;]], "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;")
end

function TestHtml.test_values_and_control_characters()
  lu.assertEquals(html.escape(0.5), "0.5")
  lu.assertEquals(html.escape "a\0b\27c\nd\té", "a b c\nd\té")
end

os.exit(lu.LuaUnit.run())
