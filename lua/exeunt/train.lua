-- train.lua: ex.train(net, data, options): trains all exits of a network jointly and leaves its best weights in it.
--
-- Each epoch: the scheme is asked for a (losses) and b (vote); one pass over the shuffled training split, a step a batch
-- (train/step.lua); the exits and their vote are scored on the validation split; the best vote so far is kept (the first
-- of equals); training stops early where the validation loss has not improved for `patience` epochs; the pruning schedule
-- may cut the network; the state to go on from is written (checkpoint.lua). In a run that is resumed, a finished training
-- returns at once and an unfinished one goes on, with the bits of one that was never stopped.
--
-- It decides nothing about how results are shown (report/) and knows neither recipes nor the command line.

local core = require "exeunt.core"
local checkpoint = require "exeunt.checkpoint"
local context = require "exeunt.context"
local evaluate = require "exeunt.evaluate"
local file = require "exeunt.file"
local fit = require "exeunt.train.fit"
local json = require "exeunt.report.json"
local listen = require "exeunt.report.training"
local options = require "exeunt.options"
local schedule = require "exeunt.schedule"
local signals = require "exeunt.signals"
local Step = require "exeunt.train.step"
local tensor = require "exeunt.tensor"
local weighting = require "exeunt.weighting"

local C = core.C

local Training = {}
Training.__index = Training

-- -- Options ------------------------------------------------------------------------------------------

local known = {
  weights = options.optional,          -- a scheme, its name, or { loss = {...}, vote = {...} }
  optimizer = options.required,        -- optim.sgd{...}, optim.adam{...}, ...
  schedule = options.optional,         -- of the learning rate: schedule.lua
  epochs = 10, batch = 64,
  early_stopping = options.optional,   -- patience in epochs, or { patience = n }
  augment = options.optional,          -- { shift = pixels, flip = boolean }
  clip = options.optional,             -- the largest norm of all gradients together
  schedule_prune = options.optional,   -- function(net, metrics, state) -> nil, or the network to go on with
  validate_every = 1,                  -- epochs
  name = options.optional, seed = options.optional,
  out = options.optional,              -- folder for checkpoints; in a run its own
  checkpoint_seconds = 300,            -- the longest time between two checkpoints
  quiet = false,
}

local function whole(name, x, low)
  if type(x) ~= "number" or x ~= math.floor(x) or x < low or x > 2 ^ 31 - 1 then
    core.raise("train: %s must be a whole number from %d on, got %s", name, low, tostring(x))
  end
end

local function check_options(given)
  local o = options.check("train", given, known)
  whole("epochs", o.epochs, 1)
  whole("batch", o.batch, 1)
  whole("validate_every", o.validate_every, 1)
  if type(o.optimizer) ~= "table" or type(o.optimizer.build) ~= "function" then
    core.raise("train: optimizer must come from ex.optim, got %s", tostring(o.optimizer))
  end
  if type(o.early_stopping) == "table" then
    o.patience = options.check("train: early_stopping", o.early_stopping, { patience = options.required }).patience
  else
    o.patience = o.early_stopping
  end
  if o.patience then whole("patience", o.patience, 1) end
  o.clip = o.clip or o.optimizer.clip
  if o.clip and not (type(o.clip) == "number" and o.clip > 0) then
    core.raise("train: clip must be a number above 0, got %s", tostring(o.clip))
  end
  if type(o.checkpoint_seconds) ~= "number" then core.raise("train: checkpoint_seconds must be a number") end
  if o.schedule_prune and type(o.schedule_prune) ~= "function" then
    core.raise("train: schedule_prune must be a function(net, metrics, state)")
  end
  o.schedule = schedule.of(o.schedule)
  return o
end

-- Every label that is used must be a class: 0 to classes - 1.
local function check_labels(split, classes)
  local labels, index = split.labels:dense(), split.index:dense()
  local label, place = labels:data(), index:data()
  for i = 0, split.count - 1 do
    local l = label[place[i]]
    if l < 0 or l >= classes then
      core.raise("train: labels[%d] of the %s split is %d, the classes are 0 to %d", place[i] + 1, split.name, l, classes - 1)
    end
  end
  return labels ~= nil and index ~= nil                  -- alive until here
end

local function check_data(net, data)
  if type(data) ~= "table" or not data.train then
    core.raise("train: data must come from ex.data.open, got %s", tostring(data))
  end
  local c, h, w = unpack(net.input)
  if data.shape[1] ~= c or data.shape[2] ~= h or data.shape[3] ~= w then
    core.raise("train: the network expects images of %dx%dx%d, the data has %dx%dx%d", c, h, w, unpack(data.shape))
  end
  if data.classes ~= net.classes then
    core.raise("train: the network has %d classes, the data %d", net.classes, data.classes)
  end
  if data.train.count == 0 then core.raise("train: the training split is empty") end
  check_labels(data.train, data.classes)
  if data.validation then check_labels(data.validation, data.classes) end
end

-- -- Construction ---------------------------------------------------------------------------------------

-- What a training has come to: all of it goes into the checkpoint. epoch: finished ones; batch: batches done of the next
-- one; step: of all; sums: over the next one's images so far; weighed: the epoch that a and b were asked for.
local function new_record(name, data)
  return { name = name, data = data.checksum, finished = false, epoch = 0, batch = 0, step = 0, weighed = 0, pruned = false,
           stale = 0, state = {}, history = json.list() }
end

local function new_training(net, data, o)
  local self = setmetatable({ net = net, data = data, options = o, name = o.name }, Training)
  self.seed = o.seed or context.seed or require("exeunt").seed()
  self.batches = math.ceil(data.train.count / o.batch)
  self.steps = self.batches * o.epochs
  self.record = new_record(o.name, data)
  self:choose_scheme()
  return self
end

-- The weighting scheme. Without one: the weights that the network has; after pruning, also in place of fixed lists.
function Training:choose_scheme()
  local given = self.options.weights
  if given == nil or type(given) == "table" and self.record.pruned then
    given = { loss = self.net.loss_weights, vote = self.net.vote_weights }
  end
  self.scheme = weighting.of(given)
end

-- Compiles the step for the network as it is now, and takes over optimiser state that an earlier step had.
function Training:compile()
  local before = self.step and self.step.update.states or {}
  local o = self.options
  self.step = Step.new(self.net, { optimizer = o.optimizer, batch = o.batch, clip = o.clip,
                                   class_weights = self.data.class_weights })
  for name, t in pairs(self.step.update.states) do
    local old = before[name]
    if old and table.concat(old.shape, ",") == table.concat(t.shape, ",") then t:copy_(old) end
  end
end

function Training:open_loader()
  self.loader = self.data.train:loader { batch = self.options.batch, augment = self.options.augment }
  self.step:feed(self.loader)
end

-- -- One epoch --------------------------------------------------------------------------------------------

-- The epoch's order: the split's indices, shuffled by (seed, "<name>/shuffle/<epoch>").
function Training:order(epoch)
  local split = self.data.train
  local order = tensor.zeros({ split.count }, "int32")
  core.check(C.ex_tensor_permutation(order.handle, self.seed, ("%s/shuffle/%d"):format(self.name, epoch)))
  local from = split.index:clone()                       -- dense
  local index, place = from:data(), order:data()
  for i = 0, split.count - 1 do place[i] = index[place[i]] end
  return order
end

-- a and b of the epoch: asked once for each, before its first batch.
function Training:weigh(epoch)
  local r = self.record
  if r.weighed ~= epoch then
    r.loss_weights, r.vote_weights = self.scheme(self.net.exits, epoch, r.history[#r.history], r.state)
    json.checked(r.state, "train: the state of the weighting scheme")
    r.weighed = epoch
  end
  self.net.loss_weights, self.net.vote_weights = { unpack(r.loss_weights) }, { unpack(r.vote_weights) }
  self.step:weigh(r.loss_weights)
end

-- Sums over the images of an epoch, in double: images, losses and hits as the step gives them.
local function new_sums(values)
  local sums = { images = 0, values = {} }
  for i = 1, values do sums.values[i] = 0 end
  return sums
end

function Training:add(n)
  local sums, step = self.record.sums, self.step
  local values, losses = sums.values, 1 + step.exits
  sums.images = sums.images + n
  for i = 1, losses do values[i] = values[i] + step:read(i) * n end
  for i = losses + 1, #values do values[i] = values[i] + step:read(i) end
end

function Training:save()
  self.keeper:save(self.net, self.step.update.states, self.record)
  self.saved = C.ex_clock()
end

-- A signal: the state goes to the file (a finished training's is there) and the training ends, with nothing lost.
function Training:stop(signal)
  local r = self.record
  if not r.finished then self:save() end
  local where = self.keeper.last and ("; go on with --resume: " .. self.keeper.last .. " is written") or ""
  local at = r.finished and "after its last epoch" or
             ("in epoch %d after %d of %d batches"):format(r.epoch + 1, r.batch, self.batches)
  error({ code = signal == "SIGTERM" and 143 or 130, message = ("%s: stopped by %s %s%s"):format(self.name, signal, at, where) }, 0)
end

-- A step that failed has changed nothing: the files still hold the last good state.
function Training:failed(epoch, why)
  local signal = signals.requested()
  if signal and type(why) == "table" and why.status == "interrupted" then self:stop(signal) end
  local last = self.keeper.last
  local kept = last and file.kind(last) == "file" and ("; the last good checkpoint is " .. last) or ""
  local said = tostring(why):gsub("^step %d+: ", "")       -- the plan counts the steps of all epochs
  core.raise("%s: epoch %d, step %d: %s%s", self.name, epoch, self.record.batch + 1, said, kept)
end

function Training:pass(epoch)
  local r, o = self.record, self.options
  r.sums = r.sums or new_sums(1 + 2 * self.step.exits)
  self.loader:start(self:order(epoch), self.seed, epoch, r.batch)
  local begun, before = C.ex_clock(), r.sums.images
  while true do
    local n = self.loader:next()
    if not n then break end
    local factor = o.schedule(r.step, self.steps, epoch)
    local ok, why = pcall(self.step.run, self.step, n, self.seed, r.step + 1, factor)
    if not ok then self:failed(epoch, why) end
    r.step, r.batch = r.step + 1, r.batch + 1
    self:add(n)
    self.listener:step(epoch, r.sums.images, r.sums.values[1] / r.sums.images)
    if signals.requested() then self:stop(signals.requested()) end
    if C.ex_clock() - self.saved >= o.checkpoint_seconds then self:save() end
  end
  self.pass_seconds, self.pass_images = C.ex_clock() - begun, r.sums.images - before
end

-- The epoch's numbers, the same in the history, the log and the scheme's and schedule's `metrics`.
function Training:metrics(epoch)
  local r, E = self.record, self.step.exits
  local images, values = r.sums.images, r.sums.values
  local line = { epoch = epoch, loss = values[1] / images, lr = self:rate(epoch), loss_weights = r.loss_weights,
                 vote_weights = r.vote_weights, exits = json.list(), vote = {} }
  for i, exit in ipairs(self.net.exits) do
    line.exits[i] = { name = exit.name, loss = values[1 + i] / images, train_top1 = values[1 + E + i] / images }
  end
  local due = epoch % self.options.validate_every == 0 or epoch == self.options.epochs
  if due and self:validates() then self:validate(line) end
  return line
end

-- The learning rate of the epoch's last step.
function Training:rate(epoch)
  return self.options.optimizer.lr * self.options.schedule(self.record.step - 1, self.steps, epoch)
end

function Training:validates()
  return self.data.validation ~= nil and self.data.validation.count > 0
end

-- val_loss is L with the plain cross-entropy: sum_i a_i CE_i.
function Training:validate(line)
  local score = evaluate(self.net, self.data.validation)
  line.val_loss = 0
  for i, exit in ipairs(score.exits) do
    local mine = line.exits[i]
    mine.val_loss, mine.val_top1 = exit.loss, exit.top1
    line.val_loss = line.val_loss + line.loss_weights[i] * exit.loss
  end
  line.vote = { val_top1 = score.vote.top1, val_top5 = score.vote.top5 }
end

-- -- Between epochs -----------------------------------------------------------------------------------------

-- Keeps the network if its vote is the best yet (without validation: always the newest). True where training should stop.
function Training:judge(line)
  local r, o = self.record, self.options
  local validated = line.val_loss ~= nil
  local better = validated and (not r.best or line.vote.val_top1 > r.best.vote.val_top1)
  if better or not self:validates() then
    r.best = line
    self.keeper:save_best(self.net, { name = self.name, epoch = line.epoch, pruned = r.pruned,
                                      loss_weights = r.loss_weights, vote_weights = r.vote_weights, metrics = line })
  end
  if not validated or not o.patience then return false end
  if not r.least_loss or line.val_loss < r.least_loss then
    r.least_loss, r.stale = line.val_loss, 0
  else
    r.stale = r.stale + 1
  end
  return r.stale >= o.patience
end

-- The pruning schedule: the network goes on as what it returns.
function Training:prune(line)
  local r, o = self.record, self.options
  if not o.schedule_prune then return end
  local smaller = o.schedule_prune(self.net, line, r.state)
  json.checked(r.state, "train: the state of the pruning schedule")
  if smaller == nil or smaller == self.net then return end
  if type(smaller) ~= "table" or not smaller.graph or not smaller.exits then
    core.raise("train: schedule_prune must return nothing or a network, got %s", tostring(smaller))
  end
  checkpoint.adopt(self.net, smaller)
  r.pruned, r.loss_weights, r.vote_weights = true, { unpack(smaller.loss_weights) }, { unpack(smaller.vote_weights) }
  self:choose_scheme()
  self:compile()
  self.step:feed(self.loader)
end

function Training:close(epoch, begun)
  local r = self.record
  local line = self:metrics(epoch)
  r.history[epoch] = line
  local stop = self:judge(line)
  r.epoch, r.batch, r.sums = epoch, 0, nil
  r.finished = stop or epoch == self.options.epochs
  r.stopped_early = stop and epoch < self.options.epochs or nil
  if not r.finished then self:prune(line) end
  self:save()
  local seconds = C.ex_clock() - begun
  self.listener:epoch(line, seconds, self.pass_images / self.pass_seconds)
  if context.log then context.log:epoch(self.name, line, seconds, self.pass_images, self.pass_seconds) end
end

-- -- From the start, or from a file ----------------------------------------------------------------------------

-- Takes the state of an earlier run's file. False where there is none.
function Training:resume()
  local kept = context.resume and self.keeper:found()
  if not kept then return false end
  local r = kept.record
  if r.name ~= self.name then core.raise("%s: belongs to a training named %s, not %s", kept.path, r.name, self.name) end
  if r.data ~= self.data.checksum then
    core.raise("%s: the data %s has changed since this training began (checksum %s, now %s)", self.name, self.data.name,
               tostring(r.data), tostring(self.data.checksum))
  end
  r.history = json.list(r.history)
  self.record = r
  checkpoint.restore(kept, self.net, r.pruned)
  self:choose_scheme()
  if r.finished then return true end
  self:compile()
  checkpoint.restore_states(kept, self.step.update.states)
  return true
end

function Training:loop()
  local r = self.record
  self:open_loader()
  for epoch = r.epoch + 1, self.options.epochs do
    local begun = C.ex_clock()
    self:weigh(epoch)
    self:pass(epoch)
    self:close(epoch, begun)
    if r.finished then break end
  end
end

function Training:run()
  local o = self.options
  self.keeper = checkpoint.keeper(o.out or context.folder, self.name, context.trainings == 1)
  local resumed = self:resume()
  if context.log then context.log:rewind(self.name, self.record.history) end
  if not resumed then self:compile() end
  if context.plan_only then error({ plan = self.step.plan, name = self.name, training = self }, 0) end
  self.listener = listen(self, o.quiet)
  self.saved = C.ex_clock()
  local was_pruned = self.record.pruned
  if not self.record.finished then
    self.listener:begin(self.record.epoch, self.record.batch)
    self:loop()
  end
  self.keeper:restore_best(self.net, was_pruned or self.record.pruned)
  self.listener:finish(self.record)
  if context.folder and signals.requested() then self:stop(signals.requested()) end
  return fit.new(self)
end

-- ex.train(net, data, options) -> a fit: { name, net, data, epochs, history, best, seconds, images_per_s, ... }.
-- Options: optimizer = ex.optim.adam { lr = 1e-3 } (required), epochs = 10, batch = 64;
--   weights = "mix" or another scheme, a function, or { loss = {...}, vote = {...} } (ex.weighting);
--   schedule = of the learning rate (ex.schedule); clip = largest norm of all gradients together;
--   augment = { shift = pixels, flip = true }; early_stopping = epochs of patience; validate_every = 1 epoch;
--   schedule_prune = function(net, metrics, state) -> nil, or the network to go on with, such as net:keep { 1, 2 };
--   name, seed, out = folder of checkpoints (in a run its own), checkpoint_seconds = 300, quiet = false.
-- The order of images is drawn from seed and name, augmentation and dropout from the seed alone.
return function(net, data, given)
  if type(net) ~= "table" or not net.graph or not net.exits then
    core.raise("train: the first argument must be a network, got %s", tostring(net))
  end
  local o = check_options(given)
  check_data(net, data)
  if not net.class_names then net:use(data) end
  o.name = context.name(o.name)
  local self = new_training(net, data, o)
  if context.folder then signals.install "step" end
  local ok, result = pcall(self.run, self)
  if context.folder then signals.install "now" end
  if not ok then error(result, 0) end
  return result
end
