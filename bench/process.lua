-- process.lua: long-lived helper processes that answer one line to one line, by a named pipe in and a pipe out.

local process = {}
process.__index = process

local folder                                -- of the named pipes, made when first needed
local count = 0

-- The first line that a shell command prints, or nil.
function process.line_of(command)
  local pipe = io.popen(command, "r")
  local line = pipe:read "*l"
  pipe:close()
  return line
end

-- start(command): runs it, its errors to those of this process.
function process.start(command)
  folder = folder or process.line_of "mktemp -d"
  count = count + 1
  local fifo = folder .. "/" .. count
  os.execute("mkfifo " .. fifo)
  local output = io.popen(("exec %s <%s"):format(command, fifo), "r")
  local input = io.open(fifo, "w")
  os.remove(fifo)
  return setmetatable({ input = input, output = output }, process)
end

-- read(): its next line; nil when it has ended.
function process:read()
  return self.output:read "*l"
end

-- ask(line): its answer, or nil when it has ended.
function process:ask(line)
  self.input:write(line, "\n")
  self.input:flush()
  return self:read()
end

function process:stop()
  self:ask "quit"
  self.input:close()
  self.output:close()
end

-- finish(): removes the folder of the named pipes.
function process.finish()
  if folder then os.execute("rmdir " .. folder) end
  folder = nil
end

return process
