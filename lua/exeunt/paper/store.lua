-- paper/store.lua: finished cells in a file of JSON lines, { "cell": settings, "result": document }, appended one by one, so
-- that a run that is killed, repeated or extended trains none of them twice. A last line without its end (a machine that
-- failed while writing) is taken away and said so; any other line that is no cell is an error that names it.

local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"

local Store = {}
Store.__index = Store

local order = { "cell", "result", "net", "data", "size", "regime", "scheme", "seed" }

local function key_of(settings) return json.encode(settings, order, "cell") end

local function record_of(path, number, text)
  local ok, record = pcall(json.decode, text)
  record = ok and json.plain(record)
  if type(record) ~= "table" or type(record.cell) ~= "table" or type(record.result) ~= "table" then
    core.raise("%s: line %d is no cell's result", path, number)
  end
  return record
end

function Store:keep(record)
  self.by_key[key_of(record.cell)] = record
  self.records[#self.records + 1] = record
end

-- open(path): the store at path; the file need not be there yet.
local function open(path)
  local self = setmetatable({ path = path, by_key = {}, records = {} }, Store)
  if file.kind(path) == nil then
    file.make_folder(path:match "^(.*)/[^/]*$" or ".")
    return self
  end
  local text = file.read(path)
  local whole = text:match "^(.*\n)" or ""
  if #whole < #text then
    io.stderr:write(("%s: its last line was cut off while it was written; it is taken away\n"):format(path))
    file.write(path, whole)
  end
  local number = 0
  for line in whole:gmatch "([^\n]*)\n" do
    number = number + 1
    self:keep(record_of(path, number, line))
  end
  return self
end

-- find(settings): the record of a finished cell, { cell, result }, or nil.
function Store:find(settings) return self.by_key[key_of(settings)] end

-- add(settings, document): a cell is finished; it is in the file when this returns.
function Store:add(settings, document)
  local text = json.encode({ cell = settings, result = document }, order, self.path)
  file.append(self.path, text .. "\n")
  self:keep(record_of(self.path, #self.records + 1, text))
end

function Store:__tostring() return ("%d finished cells in %s"):format(#self.records, self.path) end

return open
