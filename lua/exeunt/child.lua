-- child.lua: another program as a process of its own, over core/base/child.c: started, asked whether it has ended, signalled.
-- It has no terminal, writes to files, and ends with the process that started it.
--
--   local c = child.start { argv = { system.program, "run", ... }, err = "runs/x.err" }
--   local code = c:wait(0.1)               -- nil while it runs; 128 + N where signal N ended it

local core = require "exeunt.core"
local options = require "exeunt.options"

local C, ffi = core.C, core.ffi
local child = {}

local Child = {}
Child.__index = Child

local signals = { INT = 2, KILL = 9, TERM = 15 }

local function number(name) return options.choice("child", "a signal", name, signals) end

-- start{ argv = { path, argument, ... }, out = path, err = path, death = "KILL" }: out, err: where its streams go, begun anew
-- (nowhere if not given); death: the signal that it gets when this process ends.
function child.start(given)
  local o = options.check("child", given, { argv = options.required, out = options.optional, err = options.optional, death = "KILL" })
  local argv = ffi.new("const char *[?]", #o.argv + 1, o.argv)
  argv[#o.argv] = nil
  local handle = core.own(C.ex_child_start(argv, o.out, o.err, number(o.death)), C.ex_child_free)
  return setmetatable({ handle = handle, pid = C.ex_child_pid(handle) }, Child)
end

-- wait(seconds): its exit code; nil where it still runs after that time, or where a signal came to this process.
function Child:wait(seconds)
  local code = C.ex_child_wait(self.handle, seconds)
  return code ~= C.EX_NONE and code or nil
end

function Child:signal(name) C.ex_child_signal(self.handle, number(name)) end

-- free(): kills it if it still runs.
function Child:free()
  if self.handle then core.release(self.handle, C.ex_child_free) end
  self.handle = nil
end

-- finish(grace): SIGTERM, after `grace` seconds SIGKILL; its exit code.
function Child:finish(grace)
  self:signal "TERM"
  local until_then = C.ex_clock() + grace
  local code
  repeat code = self:wait(math.max(0, until_then - C.ex_clock())) until code or C.ex_clock() >= until_then
  if code then return code end
  self:signal "KILL"
  repeat code = self:wait(1) until code
  return code
end

function Child:__tostring() return ("process %d"):format(self.pid) end

-- sleep(seconds): less where a signal comes.
function child.sleep(seconds) C.ex_sleep(seconds) end

return child
