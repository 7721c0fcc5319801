-- sandbox.lua: a test that needs a network or daemons of its own runs in namespaces of its own: what it starts, mounts and names is
-- seen by nobody else, and goes with it however it ends. Inside, the machine is called "lab" and has the address 10.77.0.1 on the
-- bridge "lab"; nothing else can be reached.

local sandbox = { host = "lab", address = "10.77.0.1", subnet = "10.77.0.0/24" }

local NAMESPACES = "unshare --net --mount --uts --pid --fork --mount-proc --kill-child"
local INSIDE = "hostname lab && mount -t tmpfs none /run && ip link set lo up && ip link add lab type bridge && "
  .. "ip addr add 10.77.0.1/24 dev lab && ip link set lab up"

local function works(line) return os.execute(("{ %s; } >/dev/null 2>&1"):format(line)) == 0 end

-- enter(programs): begins the test again inside such namespaces and ends with its exit code; inside it gives nothing. Where that
-- cannot be done, why not. programs: { { name, its package }, ... } that the test needs.
function sandbox.enter(programs)
  if os.getenv "EXEUNT_SANDBOX" then return nil end
  for _, each in ipairs { { "ip", "iproute2" }, unpack(programs) } do
    if not works("command -v " .. each[1]) then return ("%s is not here (apt-get install %s)"):format(each[1], each[2]) end
  end
  if not works(("%s sh -c '%s'"):format(NAMESPACES, INSIDE)) then return "no network of its own can be made here (as root it can)" end
  local status = os.execute(("EXEUNT_SANDBOX=1 exec setpriv --pdeathsig KILL %s sh -c '%s && exec \"$@\"' sh '%s' script %s"):format(
    NAMESPACES, INSIDE, os.getenv "EXEUNT" or "./exeunt", "'" .. table.concat(arg, "' '", 0) .. "'"))
  os.exit(math.floor(status / 256))
end

return sandbox
