-- fit.lua: what a training leaves behind: its name, how its epochs went, which one was kept. Reads, never trains.

local json = require "exeunt.report.json"

local Fit = {}
Fit.__index = Fit

local fit = {}

-- new(training): the fields that a person may use:
--   name, net, data            of the training; net holds the best weights
--   epochs, history            how many were trained; a line each (the lines of log.jsonl)
--   best                       the kept epoch's line; nil without validation
--   stopped_early              whether patience ran out
--   seconds, images_per_s      wall time in all, and images trained in a second (validation not counted);
--                              nil for a training that an earlier process finished
function fit.new(training)
  local r = training.record
  local time = training.listener:time()
  return setmetatable({
    name = training.name, net = training.net, data = training.data, epochs = r.epoch, history = r.history, best = r.best,
    stopped_early = r.stopped_early or false, seconds = time.seconds, images_per_s = time.images_per_s,
  }, Fit)
end

-- is(x): whether x is a fit.
function fit.is(x)
  return getmetatable(x) == Fit
end

-- document(): the "train" entry of a run's document.
function Fit:document()
  return { epochs = self.epochs, seconds = self.seconds or json.null, images_per_s = self.images_per_s or json.null }
end

local function percent(x)
  return x and ("%.2f %%"):format(100 * x) or "-"
end

function Fit:__tostring()
  local epochs = ("%d epoch%s"):format(self.epochs, self.epochs == 1 and "" or "s")
  local lines = { ("%s: %s%s"):format(self.name, epochs, self.stopped_early and ", stopped early" or "") }
  if self.best and self.best.vote.val_top1 then
    lines[1] = ("%s; kept epoch %d, validation vote %s"):format(lines[1], self.best.epoch, percent(self.best.vote.val_top1))
  end
  for _, line in ipairs(self.history) do
    local exits = {}
    for i, exit in ipairs(line.exits) do exits[i] = ("%s %s"):format(exit.name, percent(exit.val_top1)) end
    lines[#lines + 1] = ("  epoch %d: loss %.4f, %s, vote %s"):format(line.epoch, line.loss, table.concat(exits, ", "),
                                                                     percent(line.vote.val_top1))
  end
  return table.concat(lines, "\n")
end

return fit
