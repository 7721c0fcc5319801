-- report/svg.lua: gnuplot's drawing as part of a page.

local lu = require "luaunit"
local svg = require "exeunt.report.svg"

TestSvg = {}

local DRAWN = [[<?xml version="1.0"?>
<svg
 width="780" height="400"
 viewBox="0 0 780 400"
>
<title>Gnuplot</title>
<desc>Produced by GNUPLOT</desc>
<g id="gnuplot_canvas">
<rect x="0" y="0" width="780" height="400" fill="none"/>
<defs><circle id='gpDot' r='0.5'/><filter id='textbox'><feFlood/></filter></defs>
<g fill="none" color="white">
</g>
	<g id="gnuplot_plot_1" ><title>gnuplot_plot_1</title>
<g fill="none"><path stroke='rgb(  0, 114, 178)' d='M1,2'/><use xlink:href='#gpDot' color='rgb(1,2,3)'/></g>
	</g>
</g>
</svg>
]]

function TestSvg.test_inline()
  local text = svg.inline(DRAWN, { name = "loss", title = "Loss <1>", about = "a & b" }, { "exit <1>" })
  lu.assertStrMatches(text, '<svg viewBox="0 0 780 400" role="img" .*</svg>\n')
  lu.assertStrContains(text, '<title id="fig-loss-t">Loss &lt;1&gt;</title>')
  lu.assertStrContains(text, '<desc id="fig-loss-d">a &amp; b</desc>')
  lu.assertStrContains(text, "<g><title>exit &lt;1&gt;</title>")
  lu.assertStrContains(text, "stroke='var(--c1)'")
  lu.assertStrContains(text, "color='rgb(1,2,3)'")                      -- no role: as it was
  lu.assertStrContains(text, "id='fig-loss-gpDot'")
  lu.assertStrContains(text, "href='#fig-loss-gpDot'")
  for _, gone in ipairs { "gnuplot", "Gnuplot", "textbox", 'color="white"', "<?xml", "<rect" } do lu.assertNotStrContains(text, gone) end
end

function TestSvg.test_alone()
  local text = svg.alone(DRAWN, { title = "Loss <1>" }, { "exit <1>" })
  lu.assertStrContains(text, "<title>Loss &lt;1&gt;</title>\n<g")
  lu.assertStrContains(text, "<g><title>exit &lt;1&gt;</title>")
  lu.assertStrContains(text, "rgb(  0, 114, 178)")
end

function TestSvg.test_what_is_no_drawing()
  lu.assertErrorMsgContains("gnuplot wrote no SVG", svg.inline, "", { name = "x", title = "x" }, {})
end

os.exit(lu.LuaUnit.run())
