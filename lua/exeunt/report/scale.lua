-- report/scale.lua: numbers for axes: large counts in thousands, millions or billions, accuracies in percent.

local scale = {}

local units = { { 1e9, "billion" }, { 1e6, "million" }, { 1e3, "thousand" } }

-- of(list) -> divisor, word: what to divide numbers by so that the largest has at most a few digits; 1, nil for small ones.
function scale.of(list)
  local largest = 0
  for _, x in ipairs(list) do largest = math.max(largest, math.abs(x)) end
  for _, unit in ipairs(units) do
    if largest >= 10 * unit[1] or unit[1] > 1e3 and largest >= unit[1] then return unit[1], unit[2] end
  end
  return 1, nil
end

-- over(list, divisor): a new list, each number divided; what is no number becomes a gap.
function scale.over(list, divisor)
  local out = {}
  for i = 1, #list do out[i] = type(list[i]) == "number" and list[i] / divisor end
  return out
end

-- percent(x): 0.87 -> 87; nil and false become a gap.
function scale.percent(x) return type(x) == "number" and 100 * x end

-- percent_text(x), number_text(x): for tables.
function scale.percent_text(x) return ("%.2f %%"):format(100 * x) end
function scale.number_text(x) return x == math.floor(x) and math.abs(x) < 1e15 and ("%d"):format(x) or ("%.6g"):format(x) end

return scale
