-- report/progress.lua: one line that says how far a long job is: a bar, counts, rate and the time left. It is written on
-- standard error, only where that is a terminal, at most ten times a second; elsewhere it writes nothing at all.
--
--   local bar = progress.new { label = "epoch 1/8", total = 50000, unit = "images" }
--   bar:update(6400, "loss 0.41")
--   bar:finish()                           -- takes the line away; print the result after it

local core = require "exeunt.core"
local term = require "exeunt.report.term"

local progress = {}
progress.__index = progress

local shown                                 -- the bar whose line stands on the terminal

local BAR = 24                              -- cells
local INTERVAL = 0.1                        -- seconds between writes

-- Seconds as a person says them: "9s", "1m 05s", "2h 03m".
function progress.duration(seconds)
  seconds = math.floor(seconds + 0.5)
  if seconds < 60 then return ("%ds"):format(seconds) end
  if seconds < 3600 then return ("%dm %02ds"):format(math.floor(seconds / 60), seconds % 60) end
  return ("%dh %02dm"):format(math.floor(seconds / 3600), math.floor(seconds % 3600 / 60))
end

-- The line's text. done, total: counts; seconds: since the start, over which `done - first` were done.
function progress.line(label, done, total, first, seconds, unit, note)
  local share = total > 0 and math.min(done / total, 1) or 0
  local filled = math.floor(share * BAR)
  local rate = seconds > 0 and (done - first) / seconds or 0
  local parts = { label, "[" .. ("="):rep(filled) .. (" "):rep(BAR - filled) .. "]", ("%d/%d"):format(done, total) }
  if rate > 0 then
    parts[#parts + 1] = ("%.0f %s/s"):format(rate, unit)
    parts[#parts + 1] = progress.duration((total - done) / rate) .. " left"
  end
  if note then parts[#parts + 1] = note end
  return table.concat(parts, "  ")
end

-- options: total; label = ""; unit = "items"; first = 0 (what was done before the clock starts);
-- stream, width, clock: for tests, in place of the terminal.
function progress.new(options)
  local stream = options.stream or (term.is_tty(2) and io.stderr) or nil
  return setmetatable({
    total = options.total, label = options.label or "", unit = options.unit or "items", first = options.first or 0,
    stream = stream, width = options.width, clock = options.clock or core.C.ex_clock,
    started = (options.clock or core.C.ex_clock)(), last = -math.huge,
  }, progress)
end

-- Shows `done` of the total, with a note after it; most calls return at once.
function progress:update(done, note)
  if not self.stream then return end
  local now = self.clock()
  if now - self.last < INTERVAL then return end
  self.last = now
  local text = progress.line(self.label, done, self.total, self.first, now - self.started, self.unit, note)
  local width = self.width or term.columns(2)
  if #text > width - 1 then text = text:sub(1, width - 1) end
  self.stream:write("\r", text, "\27[K")
  self.stream:flush()
  shown = self
end

-- Clears the line.
function progress:finish()
  self.last = -math.huge
  if shown == self then progress.clear() end
end

-- Clears whatever line stands there, so that a message (of an error, say) begins on a clean one.
function progress.clear()
  if not shown then return end
  shown.stream:write("\r\27[K")
  shown.stream:flush()
  shown = nil
end

return progress
