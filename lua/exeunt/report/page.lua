-- report/page.lua: a report as one HTML file: facts, figures as inline SVG, each with its numbers as a table, then the other tables.
-- It opens without network and without scripts (its policy forbids both), in light and in dark, and prints.

local figure = require "exeunt.report.figure"
local html = require "exeunt.report.html"
local palette = require "exeunt.report.palette"
local tables = require "exeunt.report.table"

local escape = html.escape

local OPEN_ROWS = 12                        -- tables of up to so many rows stand open

local STYLE = [[
:root{color-scheme:light dark;--page:#ffffff;--raised:#f6f7f8;%s}
@media (prefers-color-scheme:dark){:root{--page:#15181b;--raised:#1d2125;%s}}
@media print{:root{--page:#ffffff;--raised:#ffffff;%s}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2.5rem 1.25rem 4rem;max-width:51.25rem;background:var(--page);color:var(--ink);
 font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:.1rem 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:0 0 .2rem;overflow-wrap:anywhere}
.kind{margin:0;color:var(--text);font-size:.8rem;letter-spacing:.08em;text-transform:uppercase}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:0 0 1.5rem;font-size:.92rem}
dt{color:var(--text)}dd{margin:0;overflow-wrap:anywhere}
.said{margin:0 0 1.5rem;padding:.8rem 1.1rem;background:var(--raised);border-left:3px solid var(--c1)}
.said p{margin:.2rem 0;overflow-wrap:anywhere}
nav{font-size:.92rem;margin:0 0 2.2rem}nav a{margin-right:1.1rem;white-space:nowrap}
a{color:var(--c1)}
figure,section{margin:0 0 2.6rem;padding-top:1.1rem;border-top:1px solid var(--grid)}
figure p,section>p{margin:.1rem 0 .7rem;color:var(--text);font-size:.92rem;max-width:46rem}
svg{display:block;width:100%%;max-width:%dpx;height:auto}
svg text{font-family:inherit;paint-order:stroke;stroke:var(--page);stroke-width:3px;stroke-linejoin:round}
details{margin-top:.5rem;font-size:.88rem}
summary{cursor:pointer;color:var(--text)}
.wide{overflow-x:auto}
section table{font-size:.88rem}
table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.18rem .9rem .18rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid);white-space:nowrap}
th{font-weight:600;white-space:normal;vertical-align:bottom}td:last-child,th:last-child{padding-right:.2rem}
.n{text-align:right}
.w{white-space:normal;overflow-wrap:anywhere;min-width:8rem}
footer{color:var(--text);font-size:.82rem;margin-top:3rem}
]]

local function style()
  return STYLE:format(palette.css "light", palette.css "dark", palette.css "light", figure.width)
end

local function facts(report)
  local out = {}
  for _, fact in ipairs(report.facts or {}) do
    if fact[2] ~= nil and fact[2] ~= "" then out[#out + 1] = ("<dt>%s</dt><dd>%s</dd>"):format(escape(fact[1]), escape(fact[2])) end
  end
  return #out > 0 and "<dl>" .. table.concat(out, "\n") .. "</dl>\n" or ""
end

local function said(report)
  local out = {}
  for i, sentence in ipairs(report.sentences or {}) do out[i] = ("<p>%s</p>"):format(escape(sentence)) end
  return #out > 0 and '<div class="said">' .. table.concat(out, "\n") .. "</div>\n" or ""
end

-- The name of a table, as a part of an address.
local function anchor(t) return "table-" .. t.title:lower():gsub("[^%w]+", "-") end

local function navigation(report)
  local out = {}
  for _, fig in ipairs(report.figures) do out[#out + 1] = ('<a href="#%s">%s</a>'):format(escape(fig.name), escape(fig.title)) end
  for _, t in ipairs(report.tables or {}) do out[#out + 1] = ('<a href="#%s">%s</a>'):format(escape(anchor(t)), escape(t.title)) end
  return #out > 1 and "<nav>" .. table.concat(out, "\n") .. "</nav>\n" or ""
end

local function numbers(t)
  return ("<details%s><summary>Numbers</summary>\n<div class=\"wide\">\n%s</div></details>\n"):format(
    #t.rows <= OPEN_ROWS and " open" or "", tables.html(t.columns, t.rows))
end

local function figure_html(fig, drawing)
  return ('<figure id="%s">\n<h2>%s</h2>\n<p>%s</p>\n%s%s</figure>\n'):format(escape(fig.name), escape(fig.title),
    escape(fig.about or ""), drawing, fig.table and numbers(fig.table) or "")
end

local function section_html(t)
  return ('<section id="%s">\n<h2>%s</h2>\n%s<div class="wide">\n%s</div></section>\n'):format(escape(anchor(t)), escape(t.title),
    t.about and ("<p>%s</p>\n"):format(escape(t.about)) or "", tables.html(t.columns, t.rows))
end

-- page(report, version): report: { kind, title, facts, sentences, figures, tables } (init.lua says more); gives the file's text.
return function(report, version)
  local drawings, parts = figure.inline(report.figures), {}
  for i, fig in ipairs(report.figures) do parts[#parts + 1] = figure_html(fig, drawings[i]) end
  for _, t in ipairs(report.tables or {}) do parts[#parts + 1] = section_html(t) end
  if #parts == 0 then parts[1] = "<p>There is nothing to show yet.</p>\n" end
  return table.concat {
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">\n',
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
    ("<title>%s: %s</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n"):format(escape(report.kind), escape(report.title), style()),
    ('<header><p class="kind">%s</p>\n<h1>%s</h1></header>\n'):format(escape(report.kind), escape(report.title)),
    facts(report), said(report), navigation(report), table.concat(parts),
    ("</main>\n<footer>Written by exeunt %s.</footer>\n</body>\n</html>\n"):format(escape(version)),
  }
end
