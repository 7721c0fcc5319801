-- report/svg.lua: gnuplot's SVG made part of an HTML page: no prolog and no fixed size, ids of its own, colours by the page's
-- variables (so that the page's light and dark hold for it), a title and a description for who listens, names for its series,
-- and none of the empty groups that gnuplot writes. It changes nothing that is drawn.

local html = require "exeunt.report.html"
local palette = require "exeunt.report.palette"

local svg = {}

local role_of = {}
for _, role in ipairs(palette.roles) do
  local r, g, b = role[2]:match "#(%x%x)(%x%x)(%x%x)"
  role_of[("%d,%d,%d"):format(tonumber(r, 16), tonumber(g, 16), tonumber(b, 16))] = role[1]
end

local function coloured(text)
  return (text:gsub("rgb%(%s*(%d+),%s*(%d+),%s*(%d+)%)", function(r, g, b)
    local role = role_of[r .. "," .. g .. "," .. b]
    return role and ("var(--%s)"):format(role)
  end))
end

-- The groups of series with their titles, in order, in place of gnuplot's names.
local function named(text, titles)
  local part = 0
  return (text:gsub('<g id="gnuplot_plot_%d+[a-z]*" ><title>.-</title>', function()
    part = part + 1
    return ("<g><title>%s</title>"):format(html.escape(titles[part] or ""))
  end))
end

-- alone(text, fig, titles): a file of its own: as it is, but titled and with its series named.
function svg.alone(text, fig, titles)
  text = named(text, titles):gsub("<title>Gnuplot</title>%s*<desc>.-</desc>", function()
    return ("<title>%s</title>"):format(html.escape(fig.title or ""))
  end, 1)
  return text
end

-- inline(text, fig, titles): the element; titles: of each part of the plot command, in order.
function svg.inline(text, fig, titles)
  local id = "fig-" .. fig.name
  local body = text:match "<g id=\"gnuplot_canvas\">.*" or error("gnuplot wrote no SVG", 0)
  body = body:gsub("<g id=\"gnuplot_canvas\">", "<g>", 1):gsub("<rect x=\"0\" y=\"0\" width=\"%d+\" height=\"%d+\" fill=\"none\"/>", "", 1)
  local empty = 1
  while empty > 0 do body, empty = body:gsub("<g [^>]*>%s*</g>\n?", "") end
  body = body:gsub("<filter.-</filter>%s*", "")
  body = named(body, titles)
  body = body:gsub("(id=)'(gp%w+)'", "%1'" .. id .. "-%2'"):gsub("href='#(gp%w+)'", "href='#" .. id .. "-%1'")
  body = body:gsub('font%-family="[^"]*" ', ""):gsub("[ \t]+\n", "\n"):gsub("\n%s*\n", "\n")
  body = coloured(body)
  local w, h = text:match 'viewBox="0 0 (%d+) (%d+)"'
  return ('<svg viewBox="0 0 %s %s" role="img" aria-labelledby="%s-t %s-d" xmlns="http://www.w3.org/2000/svg" '
    .. 'xmlns:xlink="http://www.w3.org/1999/xlink">\n<title id="%s-t">%s</title>\n<desc id="%s-d">%s</desc>\n%s'):format(
    w, h, id, id, id, html.escape(fig.title), id, html.escape(fig.about or fig.title), body)
end

return svg
