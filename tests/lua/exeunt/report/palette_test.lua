-- report/palette.lua: every role has two colours of the right form, light ones unique; the series' colours can be told from the page.

local lu = require "luaunit"
local palette = require "exeunt.report.palette"

TestPalette = {}

-- Relative luminance and contrast by WCAG 2.1.
local function luminance(hex)
  local sum, weights = 0, { 0.2126, 0.7152, 0.0722 }
  for i = 1, 3 do
    local c = tonumber(hex:sub(2 * i, 2 * i + 1), 16) / 255
    sum = sum + weights[i] * (c <= 0.03928 and c / 12.92 or ((c + 0.055) / 1.055) ^ 2.4)
  end
  return sum
end

local function contrast(a, b)
  local x, y = luminance(a) + 0.05, luminance(b) + 0.05
  return math.max(x, y) / math.min(x, y)
end

function TestPalette.test_colours_are_unique_and_well_formed()
  local seen = {}
  for _, role in ipairs(palette.roles) do
    lu.assertStrMatches(role[2], "#%x%x%x%x%x%x")
    lu.assertStrMatches(role[3], "#%x%x%x%x%x%x")
    lu.assertNil(seen[role[2]], role[1] .. " has the light colour of " .. tostring(seen[role[2]]))
    seen[role[2]] = role[1]
  end
end

function TestPalette.test_contrast()
  for _, role in ipairs(palette.roles) do
    local least = role[1]:match "^c%d" and 2.7 or (role[1] == "ink" or role[1] == "text") and 7 or 1
    lu.assertTrue(contrast(role[2], "#ffffff") >= least, role[1] .. " on white")
    lu.assertTrue(contrast(role[3], "#15181b") >= least, role[1] .. " on dark")
  end
end

function TestPalette.test_light()
  lu.assertEquals(palette.light(1), palette.light "c1")
  lu.assertEquals(palette.light(palette.series + 1), palette.light "c1")
  lu.assertErrorMsgContains("no role mauve", palette.light, "mauve")
  lu.assertStrContains(palette.css "dark", "--c1:#4fb0f0")
end

os.exit(lu.LuaUnit.run())
