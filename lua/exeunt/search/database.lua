-- search/database.lua: a database as Lua sees it: statements with $1, $2, ... for values, their rows as lists of texts, and
-- transactions that are done again where a server went away in the middle. It knows no schema.
--
-- A value is nil, a number (written so that it reads back as the same double), or a text without the character 0.

local core = require "exeunt.core"
local C, ffi = core.C, core.ffi

local Database = {}
Database.__index = Database

local RECONNECT_SECONDS = 120

-- The C handle, or NULL. A server that is just starting or recovering is waited for; one that is not there is not.
function Database:first_connection()
  local began, handle = C.ex_clock(), C.ex_store_open(self.address)
  while handle == nil and self.server and core.message():find("the database system is", 1, true)
    and C.ex_clock() - began < RECONNECT_SECONDS and C.ex_interrupted() == 0 do
    C.ex_sleep(0.1)
    handle = C.ex_store_open(self.address)
  end
  return handle
end

-- is_server(address): is it a server's, or a file? Raises where it is neither.
function Database.is_server(address)
  if type(address) ~= "string" or address == "" or address:find("%z") then
    core.raise("store: expected a file or postgresql://..., got %s", type(address) == "string" and ("%q"):format(address) or type(address))
  end
  local scheme = address:match "^(%a[%w+.-]*)://"
  if scheme and scheme ~= "postgresql" and scheme ~= "postgres" then
    core.raise("store: no kind of store is called '%s': expected a file or postgresql://...", scheme)
  end
  return scheme ~= nil
end

-- open(address): "postgresql://...", or the path of an SQLite file. Raises one line.
function Database.open(address)
  local server = Database.is_server(address)
  local self = setmetatable({ address = address, server = server }, Database)
  self.handle = core.own(self:first_connection(), C.ex_store_free)
  self.name = ffi.string(C.ex_store_name(self.handle))                  -- for messages: without its passwords
  -- seconds by the database: a clock for leases, and the time of day
  self.clock = self.server and "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)" or "ex_clock()"
  self.time = self.server and self.clock or "((julianday('now') - 2440587.5) * 86400.0)"
  self.unique = self.server and "md5(random()::text || clock_timestamp()::text)" or "lower(hex(randomblob(8)))"     -- a text no other has
  return self
end

function Database:close()
  if self.handle then core.release(self.handle, C.ex_store_free) end
  self.handle = nil
end

function Database:__tostring() return ("database %s%s"):format(self.name, self.handle and "" or " (closed)") end

local function text_of(value)
  if type(value) == "number" then
    return value == math.floor(value) and math.abs(value) < 2^53 and ("%d"):format(value) or ("%.17g"):format(value)
  end
  if type(value) ~= "string" then core.raise("store: a %s cannot be kept", type(value)) end
  if value:find("%z") then core.raise("store: a text with the character 0 cannot be kept: %q", value) end
  return value
end

-- execute(sql, ...) -> list of rows, each a list of texts (nil: NULL) with its length in the rows' `columns`.
function Database:execute(sql, ...)
  if not self.handle then core.raise("store: %s is closed", self.name) end
  local n, kept = select("#", ...), {}
  local parameters = ffi.new("const char *[?]", math.max(n, 1))
  for i = 1, n do
    local value = (select(i, ...))
    if value ~= nil then
      kept[i] = text_of(value)
      parameters[i - 1] = kept[i]
    end
  end
  local result = C.ex_store_execute(self.handle, sql, n, parameters)
  if result == nil then
    self.failure = C.ex_store_failure(self.handle)
    core.raise("%s", core.message())
  end
  local rows = { columns = C.ex_rows_columns(result) }
  for r = 1, C.ex_rows_count(result) do
    local row = {}
    for c = 1, rows.columns do
      local text = C.ex_rows_text(result, r - 1, c - 1)
      row[c] = text ~= nil and ffi.string(text) or nil
    end
    rows[r] = row
  end
  C.ex_rows_free(result)
  return rows
end

-- first(sql, ...) -> the texts of the first row, or nothing.
function Database:first(sql, ...)
  local rows = self:execute(sql, ...)
  if rows[1] then return unpack(rows[1], 1, rows.columns) end
end

-- Reconnects until it works or the time is over.
function Database:reconnect()
  local began = C.ex_clock()
  while C.ex_store_reconnect(self.handle) ~= C.EX_OK do
    if C.ex_clock() - began > RECONNECT_SECONDS or C.ex_interrupted() ~= 0 then core.raise("%s", core.message()) end
  end
end

-- transact(work) -> what work(again) returns. All of it happens or nothing. `again`: true where this is a
-- repetition, since the server went away or asked for it: the first try may have been committed without our hearing of it.
-- While it lasts `transacting` is true: nobody else may then reconnect.
function Database:transact(work)
  local again = false
  while true do
    self.failure, self.transacting = nil, true
    local ok, result, second = pcall(function()
      self:execute(self.server and "BEGIN" or "BEGIN IMMEDIATE")
      local a, b = work(again)
      self:execute "COMMIT"
      return a, b
    end)
    self.transacting = false
    if ok then return result, second end
    local failure = self.failure
    if failure ~= C.EX_STORE_LOST and self.handle then pcall(self.execute, self, "ROLLBACK") end
    if failure == C.EX_STORE_LOST then self:reconnect()
    elseif failure ~= C.EX_STORE_AGAIN then error(result, 0) end
    again = true
  end
end

return Database
