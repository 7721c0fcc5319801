-- report/training.lua: what a person sees of a training, on standard error: what is trained, a progress line with the time
-- left (on a terminal only), a line an epoch. It also keeps the time that a fit tells. It changes nothing in the training.

local context = require "exeunt.context"
local core = require "exeunt.core"
local progress = require "exeunt.report.progress"
local tables = require "exeunt.report.table"
local term = require "exeunt.report.term"

local Listener = {}
Listener.__index = Listener

local function percent(x)
  return x and ("%.2f %%"):format(100 * x) or "-"
end

function Listener:say(format, ...)
  if not self.quiet then io.stderr:write(format:format(...), "\n") end
end

-- Weights as "0.5 0.333 0.167".
local function numbers(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = ("%.3g"):format(x) end
  return table.concat(out, " ")
end

local function plural(n, what)
  return ("%d %s%s"):format(n, what, n == 1 and "" or "s")
end

-- begin(epoch, batch): before the first step; epoch and batch are what earlier processes have done.
function Listener:begin(epoch, batch)
  local t = self.training
  local cost, o = t.net:cost(), t.options
  self:say("%s: %s, %s parameters, %s MACs an image; %s images, batches of %d, %s, %s", term.style("bold", t.name, 2),
           plural(#t.net.exits, "exit"), tables.count(cost.params), tables.count(cost.macs), tables.count(t.data.train.count),
           o.batch, plural(o.epochs, "epoch"), tostring(o.optimizer))
  if epoch > 0 or batch > 0 then self:say("%s: goes on after epoch %d and %d batches", t.name, epoch, batch) end
  local total = t.data.train.count * o.epochs
  local done = t.data.train.count * epoch + math.min(batch * o.batch, t.data.train.count)
  self.begun = core.C.ex_clock()
  if not self.quiet then self.bar = progress.new { label = t.name, total = total, unit = "images", first = done } end
end

-- step(epoch, images, loss): after each step; images of this epoch, and their mean loss.
function Listener:step(epoch, images, loss)
  if not self.bar then return end
  local t = self.training
  self.bar:update((epoch - 1) * t.data.train.count + images, ("epoch %d/%d  loss %.4f"):format(epoch, t.options.epochs, loss))
end

-- epoch(line, seconds, rate): after each epoch.
function Listener:epoch(line, seconds, rate)
  self.seconds, self.images = self.seconds + seconds, self.images + self.training.pass_images
  self.passes = self.passes + self.training.pass_seconds
  if self.bar then self.bar:finish() end
  local exits = {}
  for i, exit in ipairs(line.exits) do exits[i] = percent(exit.val_top1 or exit.train_top1) end
  local vote = line.vote.val_top1 and #line.exits > 1 and ("  vote %s"):format(percent(line.vote.val_top1)) or ""
  self:say("%s  epoch %d/%d  loss %.4f  %s %s%s  (a %s, b %s; %.0f images/s)", self.training.name, line.epoch,
           self.training.options.epochs, line.loss, line.vote.val_top1 and "validation" or "training", table.concat(exits, " "),
           vote, numbers(line.loss_weights), numbers(line.vote_weights), rate)
end

-- finish(record): at the end, also of a training that an earlier process finished.
function Listener:finish(record)
  if self.bar then self.bar:finish() end
  if not self.begun then self:say("%s: finished earlier, taken from its file", self.training.name) end
  if record.stopped_early then
    self:say("%s: stopped early, no better validation loss for %s", self.training.name, plural(record.stale, "epoch"))
  end
  if record.best and record.best.vote.val_top1 then
    self:say("%s: kept epoch %d, validation %s", self.training.name, record.best.epoch, percent(record.best.vote.val_top1))
  end
end

-- time(): { seconds, images_per_s }, over all processes where there is a log.
function Listener:time()
  if context.log then return context.log:time(self.training.name) end
  if self.seconds == 0 then return {} end
  return { seconds = self.seconds, images_per_s = self.images / self.passes }
end

return function(training, quiet)
  return setmetatable({ training = training, quiet = quiet, seconds = 0, images = 0, passes = 0 }, Listener)
end
