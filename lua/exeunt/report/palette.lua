-- report/palette.lua: the colours of figures, by role. Series take Okabe and Ito's colours (2008), which people tell apart whatever
-- their colour vision, darkened where they are too pale for lines on white; a dark page has a second value for each. Series
-- differ in shape and dash too (figure.lua), so that no figure rests on colour alone. Every light value is unique: svg.lua
-- finds a role by it.

local palette = {}

-- { role, light, dark }: ink is the boldest line, muted what stands back, q1 .. q5 go from the worst fifth to the best.
palette.roles = {
  { "ink", "#1b1b1b", "#f2f2f2" }, { "text", "#3a3a3a", "#c9cdd2" }, { "axis", "#767676", "#8a8f96" },
  { "grid", "#e4e4e4", "#32363b" }, { "muted", "#9a9a9a", "#7d838a" },
  { "c1", "#0072b2", "#4fb0f0" }, { "c2", "#d55e00", "#ff9152" }, { "c3", "#009e73", "#35d3a4" }, { "c4", "#b04f87", "#eba4cd" },
  { "c5", "#c98a00", "#f3c14b" }, { "c6", "#3fa3dd", "#a8dcff" }, { "c7", "#6b4f9e", "#b9a2ee" }, { "c8", "#7a5230", "#cda37f" },
  { "q1", "#c4cdd6", "#454d55" }, { "q2", "#97b6cd", "#4a6880" }, { "q3", "#5b93b8", "#5d98c0" }, { "q4", "#1d6396", "#92ccf2" },
  { "q5", "#d45d01", "#ff9253" },
}

palette.series = 8

local light = {}
for _, role in ipairs(palette.roles) do light[role[1]] = role[2] end

-- light(role): "#rrggbb"; a number is the colour of that series, from 1, over and over.
function palette.light(role)
  if type(role) == "number" then role = "c" .. ((role - 1) % palette.series + 1) end
  return light[role] or error("palette: no role " .. tostring(role), 2)
end

-- css(which): "--c1:#0072b2;..." of the column "light" or "dark".
function palette.css(which)
  local out = {}
  for i, role in ipairs(palette.roles) do out[i] = ("--%s:%s"):format(role[1], which == "dark" and role[3] or role[2]) end
  return table.concat(out, ";")
end

return palette
