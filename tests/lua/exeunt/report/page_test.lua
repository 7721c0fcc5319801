-- report/page.lua: one file, without network: every figure and table is in it, texts are escaped; in Chromium it opens without a word
-- on the console.

local lu = require "luaunit"
package.path = "tests/support/?.lua;" .. package.path
local command = dofile "tests/support/command.lua"
local gnuplot = require "exeunt.report.gnuplot"
local report = require "exeunt.report"
local run = require "exeunt.report.run"
local runs = require "runs"
local studies = require "studies"

local function run_report() return run.report(runs.document(), runs.log({ "aep", "baseline" }, 3, 3), "/some/<folder>") end
local function study_report(objectives) return report.of_study(studies.make(40, objectives)) end

TestPage = {}

function TestPage.setUp() lu.skipIf(not gnuplot.found(), "gnuplot is not installed") end

-- Every figure is there with a drawing, and every cell of its table.
local function check_whole(text, r)
  local html = require "exeunt.report.html"
  for _, fig in ipairs(r.figures) do
    local part = text:match(('<figure id="%s">(.-)</figure>'):format((fig.name:gsub("%p", "%%%0"))))
    lu.assertNotNil(part, fig.name)
    lu.assertStrContains(part, "<svg ")
    lu.assertStrContains(part, html.escape(fig.title))
    for _, s in ipairs(fig.series) do
      if s.title and #s.x > 0 then lu.assertStrContains(part, "<title>" .. html.escape(s.title) .. "</title>") end
    end
    local _, rows = part:gsub("<tr>", "")
    lu.assertEquals(rows, fig.table and #fig.table.rows + 1 or 0, fig.name)
  end
  for _, t in ipairs(r.tables) do lu.assertStrContains(text, "<h2>" .. t.title .. "</h2>") end
end

function TestPage.test_a_run()
  local r = run_report()
  local text = report.html(r)
  check_whole(text, r)
  for _, part in ipairs { "<h1>recipes/&lt;i&gt;aep&lt;/i&gt; &amp; &quot;co&quot;.lua</h1>", "/some/&lt;folder&gt;", "82.43 %",
                          "29,128,448", "The joint training cost accuracy" } do
    lu.assertStrContains(text, part)
  end
  lu.assertNotStrContains(text, "<i>")
end

function TestPage.test_a_study()
  for objectives = 1, 2 do
    local r = study_report(objectives)
    local text = report.html(r)
    check_whole(text, r)
    lu.assertStrContains(text, "<h1>&lt;b&gt;aep&lt;/b&gt; &amp; co</h1>")
    lu.assertStrContains(text, '<td class="w">loss is &lt;NaN&gt; &amp; more</td>')          -- long ones are wrapped
    lu.assertStrContains(text, ".w{white-space:normal")
    lu.assertNotStrContains(text, "<b>")
    lu.assertNotStrContains(text, "<unif>")
  end
end

function TestPage.test_nothing_comes_from_elsewhere()
  local text = report.html(run_report()):gsub('xmlns[:%w]*="[^"]*"', "")
  lu.assertNotStrContains(text, "://")
  lu.assertNotStrContains(text, "<script")
  lu.assertNotStrContains(text, "url(")
  lu.assertStrContains(text, "default-src 'none'")
  local seen = {}
  for id in text:gmatch "%sid=[\"']([^\"']+)" do
    lu.assertNil(seen[id], "two things are called " .. id)
    seen[id] = true
  end
  for target in text:gmatch "href=[\"']#([^\"']+)" do lu.assertTrue(seen[target], "nothing is called " .. target) end
end

function TestPage.test_nothing_to_show()
  local text = report.html(run.report({ recipe = "x.lua", seed = 1 }, {}, "f"))
  lu.assertStrContains(text, "There is nothing to show yet.")
  lu.assertStrContains(text, "not finished")
end

function TestPage.test_no_colour_is_left_out_of_the_page_s_variables()
  local text = report.html(study_report(2))
  lu.assertNil(text:match "rgb%([^)]*%)")
end

TestChromium = {}

function TestChromium.setUp()
  lu.skipIf(not gnuplot.found(), "gnuplot is not installed")
  lu.skipIf(os.execute "command -v chromium >/dev/null 2>&1" ~= 0, "chromium is not installed")
end

function TestChromium.test_it_opens_and_has_every_figure()
  local folder = command.folder()
  for name, r in pairs { run = run_report(), study = study_report(2) } do
    command.write(("%s/%s.html"):format(folder, name), report.html(r))
    local result = command.shell(("HOME=%s timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir=%s/profile "
      .. "--enable-logging=stderr --dump-dom file://%s/%s.html"):format(folder, folder, folder, name))
    lu.assertEquals(result.code, 0, result.err)
    lu.assertNotStrContains(result.err, "CONSOLE")
    check_whole(result.out, r)
    local _, drawings = result.out:gsub("</svg>", "")
    lu.assertEquals(drawings, #r.figures)
  end
  command.remove(folder)
end

os.exit(lu.LuaUnit.run())
