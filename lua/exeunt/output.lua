-- output.lua: keeps standard output for what a command itself writes there (io.stdout): what a recipe or a study writes by print and
-- io.write goes to standard error.

local output = {}

local function to_stderr(...)
  local texts = {}
  for i = 1, select("#", ...) do texts[i] = tostring((select(i, ...))) end
  io.stderr:write(table.concat(texts, "\t"), "\n")
end

-- keep_clean(): from now on.
function output.keep_clean()
  _G.print = to_stderr                                          -- luacheck: ignore 122
  io.output(io.stderr)
end

-- clean(f, ...): for one call, which is pcall's.
function output.clean(f, ...)
  local print_before, output_before = print, io.output()
  output.keep_clean()
  local answer = { pcall(f, ...) }
  _G.print = print_before                                       -- luacheck: ignore 122
  io.output(output_before)
  return unpack(answer, 1, 4)
end

return output
