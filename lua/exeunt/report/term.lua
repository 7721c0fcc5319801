-- report/term.lua: what a terminal can show. Colours only where the stream is a terminal, NO_COLOR is unset or empty and
-- TERM is not "dumb". Streams are 1 (standard output) and 2 (standard error).

local system = require "exeunt.system"

local term = {}

local codes = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33", blue = "34", cyan = "36" }

-- Is the stream a terminal?
function term.is_tty(fd)
  return system.tty(fd)
end

-- Its width in columns; 80 where it does not say.
function term.columns(fd)
  return system.columns(fd) or 80
end

-- The columns that a table may have on standard output: a terminal's width; nil elsewhere, where nothing is to be cut.
function term.room()
  return system.tty(1) and term.columns(1) or nil
end

-- Its height in rows; 24 where it does not say.
function term.rows(fd)
  return system.rows(fd) or 24
end

-- The first `width` columns of a UTF-8 text (a code point each), no character cut.
function term.cut(text, width)
  local n = 0
  for place in text:gmatch "()[^\128-\191][\128-\191]*" do
    n = n + 1
    if n > width then return text:sub(1, place - 1) end
  end
  return text
end

function term.colours(fd)
  local no_color = os.getenv "NO_COLOR"
  return system.tty(fd) and (no_color == nil or no_color == "") and os.getenv "TERM" ~= "dumb"
end

-- text in a style ("bold", "dim", a colour), plain where the stream fd shows no colours.
function term.style(style, text, fd)
  local code = codes[style] or error("term: unknown style " .. tostring(style), 2)
  if not term.colours(fd) then return text end
  return ("\27[%sm%s\27[0m"):format(code, text)
end

return term
