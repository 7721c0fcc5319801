-- paper/store.lua: finished cells in a file of JSON lines, { "cell": settings, "made": engine and machine, "result": document },
-- appended one by one, so that a run that is killed, repeated or extended trains none of them twice. A last line without its end (a
-- machine that failed while writing) is completed where the cell in it is whole, else taken away, and said so; any other line that
-- is no cell is an error that names it. "made" (version, cpu, isa, threads, exact) is missing in lines of older versions.

local core = require "exeunt.core"
local environment = require "exeunt.environment"
local file = require "exeunt.file"
local json = require "exeunt.report.json"

local Store = {}
Store.__index = Store

local order = { "cell", "made", "result", "net", "data", "size", "regime", "scheme", "seed", "version", "cpu", "isa", "threads", "exact" }

local function key_of(settings) return json.encode(settings, order, "cell") end

-- A line's record, or nil.
local function record_of(text)
  local ok, record = pcall(json.decode, text)
  record = ok and json.plain(record)
  if type(record) ~= "table" or type(record.cell) ~= "table" or type(record.result) ~= "table" then return nil end
  local made = record.made
  return (made == nil or type(made) == "table" and type(made.isa) == "string") and record or nil
end

function Store:keep(record)
  self.by_key[key_of(record.cell)] = record
  self.records[#self.records + 1] = record
end

-- Mends a last line without its end; gives the text with whole lines alone. Only for who has the store's lock: what another is just
-- writing looks like that, too.
local function mended(path, text)
  local whole = text:match "^(.*\n)" or ""
  local last = text:sub(#whole + 1)
  if last == "" then return text end
  local kept = record_of(last) ~= nil
  io.stderr:write(("%s: its last line was cut off while it was written; it is %s\n"):format(path, kept and "completed" or "taken away"))
  whole = kept and text .. "\n" or whole
  file.write(path, whole)
  return whole
end

-- The file's whole lines; claimed: this process has the lock.
local function whole_lines(path, claimed)
  local text = file.read(path)
  if claimed then return mended(path, text) end
  if not text:find "[^\n]$" then return text end
  local ok, lock = pcall(file.lock_beside, path)
  if not ok then return text:match "^(.*\n)" or "" end                -- somebody is at it, or it may only be read
  local done, lines = pcall(function() return mended(path, file.read(path)) end)
  lock:free()
  if not done then error(lines, 0) end
  return lines
end

-- Reads the file anew.
function Store:read(claimed)
  self.by_key, self.records = {}, {}
  if file.kind(self.path) == nil then return end
  local number = 0
  for line in whole_lines(self.path, claimed):gmatch "([^\n]*)\n" do
    number = number + 1
    local record = record_of(line)
    if not record then
      core.raise("%s: line %d is no cell's result; take the line away to train its cell again", self.path, number)
    end
    self:keep(record)
  end
end

-- open(path): the store at path; the file need not be there yet.
local function open(path)
  if type(path) ~= "string" or path == "" then
    core.raise("paper.store: expected the path of a file of results, got '%s'", tostring(path))
  end
  local self = setmetatable({ path = path }, Store)
  if file.kind(path) == nil then file.make_folder(path:match "^(.*)/[^/]*$" or ".") end
  self:read()
  return self
end

-- claim(): nobody else may claim the store until the lock that it gives is freed, or this process ends; what others have added
-- since it was opened is read. Raises where somebody has it.
function Store:claim()
  local ok, lock = pcall(file.lock_beside, self.path)
  if not ok then
    core.raise("%s", lock:find(" is locked", 1, true) and ("%s: another run is adding cells to it (%s)"):format(self.path, lock) or lock)
  end
  local done, why = pcall(self.read, self, true)
  if done then return lock end
  lock:free()
  error(why, 0)
end

-- find(settings): the record of a finished cell, { cell, made, result }, or nil.
function Store:find(settings) return self.by_key[key_of(settings)] end

-- add(settings, document): a cell is finished; it is in the file when this returns.
function Store:add(settings, document)
  local e = environment()
  local made = { version = e.version, cpu = e.cpu, isa = e.isa, threads = e.threads, exact = e.exact }
  local text = json.encode({ cell = settings, made = made, result = document }, order, self.path)
  file.append(self.path, text .. "\n")
  self:keep(record_of(text))
end

function Store:__tostring() return ("%d finished cells in %s"):format(#self.records, self.path) end

return open
