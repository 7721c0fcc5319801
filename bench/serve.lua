-- serve.lua: our side's end of the line to run.lua. serve(hello, block): says hello, then answers each line of standard input:
--     block SECONDS   calls block() for about so long, answers "CALLS SECONDS"
--     memory          answers the peak resident memory of this process in MiB
--     peak            answers the rate of multiply-adds of all threads now, in GFLOP/s
--     quit            ends, as the end of input does

local core = require "exeunt.core"
local Plan = require "exeunt.plan"
local C = core.C

local function peak_memory()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmHWM:%s*(%d+)"
    if kib then return kib / 1024 end
  end
end

local function timed(block, seconds)
  local calls, start = 0, C.ex_clock()
  repeat
    block()
    calls = calls + 1
  until C.ex_clock() - start >= seconds
  return ("%d %.9f"):format(calls, C.ex_clock() - start)
end

return function(hello, block)
  io.stdout:setvbuf "line"
  print(hello)
  for line in io.lines() do
    local what, seconds = line:match "^(%a+)%s*(%S*)$"
    if what == "quit" then break
    elseif what == "block" then print(timed(block, tonumber(seconds)))
    elseif what == "peak" then print(("%.3f"):format(C.ex_peak_flops(Plan.team()) / 1e9))
    else print(("%.3f"):format(peak_memory())) end
  end
end
