-- report/run/reported.lua: what a recipe reported by itself, { step = n, name = value, ... } in its log: a figure for each name.

return function(view)
  local names, by_name = {}, {}
  for i, line in ipairs(view.reported) do
    for name, value in pairs(line) do
      if type(value) == "number" and type(name) == "string" and name ~= "step" and name ~= "epoch" then
        if not by_name[name] then
          by_name[name] = { x = {}, y = {} }
          names[#names + 1] = name
        end
        local s = by_name[name]
        s.x[#s.x + 1], s.y[#s.y + 1] = line.step or line.epoch or i, value
      end
    end
  end
  table.sort(names)
  local out = {}
  for k, name in ipairs(names) do
    local s, rows = by_name[name], {}
    for i = 1, #s.x do rows[i] = { s.x[i], s.y[i] } end
    s.style, s.colour = "both", 1
    out[k] = { name = "reported-" .. name:gsub("[^%w_-]", "-"), title = name, series = { s }, key = false, height = 300,
               about = "Reported by the recipe.", x = { title = "step", whole = true }, y = { title = name },
               table = { columns = { "step", { title = name, format = "%.6g" } }, rows = rows } }
  end
  return out
end
