-- Runs commands for tests: the engine itself, with files for its streams. EXEUNT names the program (./exeunt otherwise).

local folder = dofile "tests/support/folder.lua"

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

command.folder, command.remove = folder.make, folder.remove

command.read = read

function command.write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- shell(line, input) -> { code =, out =, err = } of a shell line that reads `input`.
function command.shell(line, input)
  local streams = folder.make()
  command.write(streams .. "/in", input or "")
  local status = os.execute(("{ %s\n} <%s/in >%s/out 2>%s/err"):format(line, streams, streams, streams))
  local result = { code = math.floor(status / 256), out = read(streams .. "/out"), err = read(streams .. "/err") }
  folder.remove(streams)
  return result
end

-- run(arguments, input): the engine with the arguments, written as for a shell.
function command.run(arguments, input)
  return command.shell(program .. " " .. arguments, input)
end

return command
