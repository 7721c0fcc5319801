-- postgres.lua: a PostgreSQL server for a test, in a folder of its own, on a socket there; nil and why where none can be started.
-- As root it runs as the user nobody, since the server refuses root. Nothing stays after stop().

local command = dofile "tests/support/command.lua"

local postgres = {}
local Server = {}
Server.__index = Server

local function tool(name)
  local pipe = io.popen(("ls -d /usr/lib/postgresql/*/bin/%s 2>/dev/null | sort -V | tail -1; command -v %s 2>/dev/null")
    :format(name, name))
  local found = pipe:read "*l"
  pipe:close()
  return found
end

-- A shell line as the user that the server runs as.
function Server:as(line)
  if not self.root then return line end
  return "setpriv --reuid nobody --regid nogroup --clear-groups sh -c " .. command.quote(line)
end

-- Lets those from `subnet` in who have a password.
local function open_to(self, subnet)
  local file = assert(io.open(self.folder .. "/data/pg_hba.conf", "a"))
  file:write(("host all all %s scram-sha-256\n"):format(subnet))
  file:close()
end

-- start{ listen = address, subnet = those who may come, by password } -> a server, listening nowhere but on its socket if neither is
-- given; or nil and why not. As the socket's user "exeunt" one may do everything.
function postgres.start(given)
  local initdb, control = tool "initdb", tool "pg_ctl"
  if not initdb or not control then return nil, "PostgreSQL's server is not installed (apt-get install postgresql)" end
  local self = setmetatable({ control = control, listen = given and given.listen or "" }, Server)
  self.root = command.shell("id -u").out == "0\n"
  self.folder = command.folder()
  if self.root then command.shell("chown nobody " .. self.folder) end
  local made = command.shell(self:as(("cd %s && LC_ALL=C %s -D data -A trust -N -U exeunt >log 2>&1"):format(self.folder, initdb)))
  if made.code == 0 and given then open_to(self, given.subnet) end
  if made.code ~= 0 or not self:run("start", "") then
    command.remove(self.folder)
    return nil, "no PostgreSQL server can be started here"
  end
  self.address = ("postgresql:///postgres?host=%s&user=exeunt"):format(self.folder)
  return self
end

-- run("start" | "stop" | "restart", options) -> true where it worked. Stops at once, as kill does to those connected.
function Server:run(action, options)
  return command.shell(self:as(("cd %s && LC_ALL=C %s -D data -w -l log -m immediate -o \"-k %s -c listen_addresses='%s' "
    .. "-c fsync=off\" %s %s >>log 2>&1"):format(self.folder, self.control, self.folder, self.listen, options or "", action))).code == 0
end

function Server:stop()
  self:run("stop", "")
  command.remove(self.folder)
end

return postgres
