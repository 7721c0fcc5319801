-- waiting.lua: says which trials of others a search or a worker waits for that has nothing to do itself, soon and then every few
-- minutes: a trial that was asked for (exeunt ask) may be out for a day. It reads trials; it waits for nothing.

local core = require "exeunt.core"
local progress = require "exeunt.report.progress"

local Waiting = {}
Waiting.__index = Waiting

local SOON, AGAIN = 1, 300                  -- seconds of waiting until it is said, and until it is said again
local SHOWN = 8                             -- trials in a message

-- new(name of the study, mine = function(trial) -> whether it runs here, clock)
local function new(name, mine, clock)
  return setmetatable({ name = name, mine = mine, clock = clock or core.C.ex_clock }, Waiting)
end

-- A worker's name ends with its process; who asks has another (exeunt ask --worker NAME).
local function is_worker(name) return tostring(name):match ":%d+$" ~= nil end

-- text(name of the study, trials that are waited for): what is said.
local function text(name, trials)
  local parts, asked = {}, nil
  for i, trial in ipairs(trials) do
    if i <= SHOWN then
      parts[i] = ("trial %d of %s (lease of %s)"):format(trial.number, trial.worker or "somebody",
                                                         progress.duration(trial.lease_length or 0))
    end
    asked = asked or not is_worker(trial.worker) and trial.number or nil
  end
  if #trials > SHOWN then parts[SHOWN + 1] = ("%d more"):format(#trials - SHOWN) end
  return ("waiting for %s; whom nobody hears of in the time of a lease loses the trial to another%s"):format(table.concat(parts, ", "),
    asked and (": `exeunt tell %s %d VALUE` or --failed WHY ends it before that"):format(name, asked) or "")
end

-- look(trials): what is to be said now; nil: nothing.
function Waiting:look(trials)
  local others = {}
  for _, trial in ipairs(trials) do
    if trial.state == "running" then
      if self.mine(trial) then
        self.since = nil
        return nil
      end
      others[#others + 1] = trial
    end
  end
  local now = self.clock()
  if #others == 0 then self.since = nil
  elseif not self.since then self.since = now
  elseif now - self.since >= SOON and (not self.told or now - self.told >= AGAIN) then
    self.told = now
    return text(self.name, others)
  end
end

return { new = new, text = text }
