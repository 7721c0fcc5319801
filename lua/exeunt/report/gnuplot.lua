-- report/gnuplot.lua: the program gnuplot as a child process: scripts in, pictures out, in a private folder that goes afterwards.
-- One process draws all the scripts of a call, without the user's own settings. Its failure, or its absence, is one line.
-- It knows nothing of figures: figure.lua writes the scripts.

local core = require "exeunt.core"
local file = require "exeunt.file"

local gnuplot = { package = "gnuplot-nox" }

local NOT_FOUND = 127                       -- the shell's exit code for a program that is not there

-- text(s): s as a string of a script. Single quotes: gnuplot then expands nothing in it, no backquotes, no backslashes.
function gnuplot.text(s)
  return "'" .. tostring(s):gsub("[%c\127]", " "):gsub("'", "''") .. "'"
end

-- found(): whether the program is here.
function gnuplot.found()
  return os.execute "command -v gnuplot >/dev/null 2>&1" == 0
end

-- need(): raises where it is not, naming the package.
function gnuplot.need()
  if not gnuplot.found() then
    core.raise("figures are drawn by gnuplot, which is not installed: apt-get install %s", gnuplot.package)
  end
end

-- A new folder that only this user can read.
local function private_folder()
  local pipe = assert(io.popen("mktemp -d -t exeunt-plot.XXXXXX 2>&1", "r"))
  local line = pipe:read "*l"
  pipe:close()
  if not line or file.kind(line) ~= "folder" then core.raise("cannot make a temporary folder: %s", line or "mktemp failed") end
  return line
end

local function quoted(path) return "'" .. path:gsub("'", "'\\''") .. "'" end

-- What gnuplot complained of, in a line: its last one that names a line of the script, else its last.
local function complaint(text)
  local last, named
  for line in text:gmatch "[^\n]+" do
    if line:match "%S" then last = line:match "^%s*(.-)%s*$" end
    named = line:match "line %d+: .*" or named
  end
  return named or last or "it said nothing"
end

local function draw(folder, scripts)
  local parts = {}
  for i, script in ipairs(scripts) do
    parts[i] = ("reset session\n%s\nset output '%d'\n%s\nset output\n"):format(script.setup, i, script.body)
  end
  local handle = assert(io.open(folder .. "/script", "wb"))
  local ok, why = handle:write(table.concat(parts))
  local closed, problem = handle:close()
  if not (ok and closed) then core.raise("cannot write to %s: %s", folder, tostring(why or problem)) end
  local status = os.execute(("cd %s && gnuplot -d script >/dev/null 2>errors"):format(quoted(folder)))
  if status == NOT_FOUND * 256 then gnuplot.need() end
  if status ~= 0 then core.raise("gnuplot failed: %s", complaint(file.read(folder .. "/errors"))) end
  local pictures = {}
  for i in ipairs(scripts) do pictures[i] = file.read(("%s/%d"):format(folder, i)) end
  return pictures
end

-- run(scripts): { { setup = terminal, body = what draws }, ... } -> the bytes of each one's picture.
function gnuplot.run(scripts)
  gnuplot.need()
  if #scripts == 0 then return {} end
  local folder = private_folder()
  local ok, result = pcall(draw, folder, scripts)
  for _, name in ipairs(file.list(folder)) do os.remove(folder .. "/" .. name) end
  os.remove(folder)
  if not ok then error(result, 0) end
  return result
end

return gnuplot
