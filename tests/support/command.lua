-- Runs commands for tests: the engine itself, with files for its streams. EXEUNT names the program (./exeunt otherwise).

local command = {}

local program = os.getenv "EXEUNT" or "./exeunt"

local function read(path)
  local file = assert(io.open(path, "r"))
  local text = file:read "*a"
  file:close()
  return text
end

function command.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- A fresh folder; remove it with command.remove.
function command.folder()
  local pipe = assert(io.popen "mktemp -d")
  local path = pipe:read "*l"
  pipe:close()
  return assert(path)
end

function command.remove(folder)
  os.execute("rm -rf " .. command.quote(folder))
end

function command.write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- shell(line, input) -> { code =, out =, err = } of a shell line that reads `input`.
function command.shell(line, input)
  local folder = command.folder()
  command.write(folder .. "/in", input or "")
  local status = os.execute(("{ %s\n} <%s/in >%s/out 2>%s/err"):format(line, folder, folder, folder))
  local result = { code = math.floor(status / 256), out = read(folder .. "/out"), err = read(folder .. "/err") }
  command.remove(folder)
  return result
end

-- run(arguments, input): the engine with the arguments, written as for a shell.
function command.run(arguments, input)
  return command.shell(program .. " " .. arguments, input)
end

return command
