-- report/table.lua: plain text tables for a terminal: a header, a rule, rows; columns aligned, numbers to the right, no
-- boxes. It does not wrap: a row is a line (a line end in a text is shown as a space), and cuts only where it is told a width.
-- The same as Markdown, as CSV and as HTML.
--
--   table.render({ "name", { title = "top-1", format = "%.4f" } }, { { "exit1", 0.87 }, { "vote", 0.91 } })

local html = require "exeunt.report.html"
local term = require "exeunt.report.term"

local tables = {}

-- A whole number with its thousands apart: 1234567 -> "1,234,567".
function tables.count(n)
  local digits = ("%.0f"):format(n)
  local sign, body = digits:match "^(-?)(%d+)$"
  if not body then return digits end        -- inf, nan
  return sign .. body:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
end

-- Bytes in the unit that suits: 1536 -> "1.5 KiB".
function tables.bytes(n)
  local units = { "B", "KiB", "MiB", "GiB", "TiB" }
  local i = 1
  while n >= 1024 and i < #units do n, i = n / 1024, i + 1 end
  return i == 1 and ("%d B"):format(n) or ("%.1f %s"):format(n, units[i])
end

-- Columns that a UTF-8 text takes (a code point each).
local function width(text)
  local _, continued = text:gsub("[\128-\191]", "")
  return #text - continued
end

local function cell(column, value)
  if value == nil then return "-" end
  local format = column.format
  if format and type(value) == "number" then
    return type(format) == "string" and format:format(value) or format(value)
  end
  if type(value) == "number" and value == math.floor(value) and math.abs(value) < 1e15 then return ("%d"):format(value) end
  return tostring(value)
end

-- What would end a row or move the cursor is a space.
local function one_line(text) return (text:gsub("%c+", " ")) end

-- A column: its texts (each of one line unless `whole`), its width and whether its values are numbers.
local function lay_out(spec, index, rows, whole)
  local column = type(spec) == "table" and spec or { title = spec }
  local laid = { title = column.title or column[1] or "", texts = {} }
  laid.width = width(laid.title)
  laid.right = column.align == "right"
  local numbers, others = 0, 0
  for r, row in ipairs(rows) do
    local value = row[index]
    if type(value) == "number" then numbers = numbers + 1 elseif value ~= nil then others = others + 1 end
    laid.texts[r] = whole and cell(column, value) or one_line(cell(column, value))
    laid.width = math.max(laid.width, width(laid.texts[r]))
  end
  if not column.align then laid.right = numbers > 0 and others == 0 end
  return laid
end

local GAP = 2                               -- between two columns

-- Leaves out columns that may be, the highest `spare` first, until the others fit at their least; then narrows the widest of those
-- that may be cut -> the columns that stay, the titles of the others.
local function fit(laid, columns, most)
  local left, dropped = {}, {}
  for i, column in ipairs(laid) do
    local spec = type(columns[i]) == "table" and columns[i] or {}
    column.least, column.spare = math.min(spec.least or column.width, column.width), spec.spare
    left[i] = column
  end
  local function total(field)
    local sum = -GAP
    for _, column in ipairs(left) do sum = sum + column[field] + GAP end
    return sum
  end
  local function pick(of)                   -- the column of which `of` is the greatest, above 0
    local best, greatest = nil, 0
    for i, column in ipairs(left) do
      if of(column) > greatest then best, greatest = i, of(column) end
    end
    return best
  end
  local at = true
  while at and total "least" > most do
    at = pick(function(column) return column.spare or 0 end)
    if at then dropped[#dropped + 1] = table.remove(left, at).title end
  end
  at = true
  while at and total "width" > most do
    at = pick(function(column) return column.width > column.least and column.width or 0 end)
    if at then left[at].width = left[at].width - 1 end
  end
  return left, dropped
end

local function pad(column, text)
  if width(text) > column.width then text = term.cut(text, column.width - 1) .. "…" end
  local space = (" "):rep(column.width - width(text))
  return column.right and space .. text or text .. space
end

-- columns: titles, or { title =, format = string.format's or a function of a number, align = "left" or "right", least, spare };
-- rows: lists of values, nil shown as "-". Gives the text, each line ended; with `most` its lines have no more columns of a
-- terminal than that where this can be: texts of a column with `least` are cut, down to so many, and those with `spare` left out, the
-- highest first. Then also the titles of those.
function tables.render(columns, rows, most)
  local laid, lines, dropped = {}, {}, nil
  for i, spec in ipairs(columns) do laid[i] = lay_out(spec, i, rows) end
  if most then laid, dropped = fit(laid, columns, most) end
  for r = -1, #rows do
    local parts = {}
    for i, column in ipairs(laid) do
      local text = r == -1 and column.title or r == 0 and ("-"):rep(column.width) or column.texts[r]
      parts[i] = pad(column, text)
    end
    lines[#lines + 1] = table.concat(parts, (" "):rep(GAP)):gsub("%s+$", "") .. "\n"
  end
  if not most then return table.concat(lines) end
  return table.concat(lines), dropped
end

-- markdown(columns, rows): the same as a table of Markdown.
function tables.markdown(columns, rows)
  local lines, laid = {}, {}
  for i, spec in ipairs(columns) do laid[i] = lay_out(spec, i, rows) end
  for r = -1, #rows do
    local parts = {}
    for i, column in ipairs(laid) do
      local text = r == -1 and column.title or r == 0 and (column.right and "--:" or "---") or column.texts[r]
      parts[i] = text:gsub("|", "\\|")
    end
    lines[#lines + 1] = "| " .. table.concat(parts, " | ") .. " |\n"
  end
  return table.concat(lines)
end

-- csv(columns, rows): the same with commas (RFC 4180, lines ended by \n): fields with a comma, quote or line end are quoted.
function tables.csv(columns, rows)
  local lines, laid = {}, {}
  for i, spec in ipairs(columns) do laid[i] = lay_out(spec, i, rows, true) end
  for r = 0, #rows do
    local parts = {}
    for i, column in ipairs(laid) do
      local text = r == 0 and column.title or column.texts[r]
      parts[i] = text:find '[,"\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
    end
    lines[#lines + 1] = table.concat(parts, ",") .. "\n"
  end
  return table.concat(lines)
end

-- html(columns, rows[, caption]): the same as a table of HTML, texts escaped; numbers stand to the right (class "n"), columns with
-- `wrap` may take several lines (class "w").
function tables.html(columns, rows, caption)
  local laid, out = {}, { "<table>\n" }
  for i, spec in ipairs(columns) do laid[i] = lay_out(spec, i, rows, true) end
  if caption then out[2] = ("<caption>%s</caption>\n"):format(html.escape(caption)) end
  for r = 0, #rows do
    local parts = {}
    for i, column in ipairs(laid) do
      local tag = r == 0 and 'th scope="col"' or "td"
      local class = column.right and "n" or type(columns[i]) == "table" and columns[i].wrap and "w"
      class = class and (' class="%s"'):format(class) or ""
      parts[i] = ("<%s%s>%s</%s>"):format(tag, class, html.escape(r == 0 and column.title or column.texts[r]),
                                          tag:sub(1, 2))
    end
    out[#out + 1] = (r == 0 and "<thead><tr>%s</tr></thead>\n<tbody>\n" or "<tr>%s</tr>\n"):format(table.concat(parts))
  end
  out[#out + 1] = "</tbody></table>\n"
  return table.concat(out)
end

return tables
