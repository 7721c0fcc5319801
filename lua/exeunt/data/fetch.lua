-- data/fetch.lua: downloads the files of a data set from its manifest's addresses by the program curl, with resume, progress and
-- checksums, and unpacks archives by tar and unzip. A file being fetched is NAME.part, which a later attempt goes on from; it
-- gets its name only when its checksum is right. Only http and https are spoken.

local core = require "exeunt.core"
local file = require "exeunt.file"
local manifest = require "exeunt.data.manifest"
local paths = require "exeunt.paths"
local progress = require "exeunt.report.progress"
local sums = require "exeunt.data.sums"

local fetch = {}

local TRIES = 4
local BLOCK = 2 ^ 16
local RANGE_REFUSED, NO_RANGE = 416, 33     -- HTTP's status; curl's exit status

-- What curl's exit status means for a person, where that is about the network.
local unreachable = { [5] = true, [6] = true, [7] = true, [28] = true, [35] = true }

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function size_of(path) return file.kind(path) == "file" and file.stat(path) or 0 end

local function last_line(text) return text:match "([^\n]+)\n*$" or "" end

-- One attempt: appends to `part`; gives curl's exit status, HTTP's status, curl's message.
local function attempt(url, part, label)
  local had, log = size_of(part), part .. ".log"
  local command = ("curl --silent --show-error --fail --location --globoff --proto =http,https --connect-timeout 20 "
    .. "--speed-limit 1 --speed-time 60 %s --dump-header %s --url %s 2>%s; echo $? >%s"):format(
    had > 0 and ("--continue-at %.0f"):format(had) or "", quote(log .. ".head"), quote(url), quote(log), quote(log .. ".code"))
  local pipe, out = assert(io.popen(command, "r")), assert(io.open(part, "ab"))
  local done, bar, problem = had, nil, nil
  while true do
    local block = pipe:read(BLOCK)
    if not block then break end
    if not bar then
      local length = file.read(log .. ".head"):lower():match ".*content%-length: (%d+)"
      bar = progress.new { label = label, total = had + (tonumber(length) or 0), first = had, unit = "bytes" }
    end
    local ok, why = out:write(block)
    problem = problem or (not ok and why) or nil
    if problem then break end
    done = done + #block
    bar:update(done)
  end
  if bar then bar:finish() end
  local closed, why = out:close()
  pipe:close()
  local code, message = tonumber((file.read(log .. ".code"))) or 1, last_line(file.read(log))
  local head = file.kind(log .. ".head") == "file" and file.read(log .. ".head") or ""
  for _, name in ipairs { log, log .. ".code", log .. ".head" } do
    if file.kind(name) == "file" then file.remove(name) end
  end
  problem = problem or (not closed and why) or nil
  if problem then core.raise("cannot write %s: %s", part, problem) end
  return code, tonumber(head:match ".*HTTP/[%d.]+ (%d+)"), message
end

-- Fetches until the server says that there is no more; several attempts where the transfer breaks off.
local function transfer(url, part, label)
  local message
  for _ = 1, TRIES do
    local code, status, why = attempt(url, part, label)
    if code == 0 or status == RANGE_REFUSED then return end
    if unreachable[code] then
      core.raise("cannot reach %s: there is no network, or the server does not answer (%s)", url, why)
    end
    if code == NO_RANGE then file.remove(part)
    elseif code ~= 18 and code ~= 56 and code ~= 92 then core.raise("cannot fetch %s: %s", url, why) end
    message = why
  end
  core.raise("cannot fetch %s: the transfer broke off %d times (%s); run it again to go on from %.0f bytes", url, TRIES, message,
             size_of(part))
end

-- file(f, folder): f: { name, url, sha256, md5 }. A file that is there and right is left alone.
function fetch.file(f, folder)
  local path = folder .. "/" .. f.name
  if file.kind(path) == "file" and sums.right(f, file.digest(path, (sums.expected(f)))) then return path end
  local part = path .. ".part"
  transfer(f.url, part, f.name)
  local ok, why = pcall(sums.check, "fetched", f, part)
  if not ok then
    file.remove(part)
    core.raise("%s; it was removed", why)
  end
  local moved, problem = os.rename(part, path)
  if not moved then core.raise("cannot rename %s: %s", part, problem) end
  return path
end

-- What the unpacking says goes into a file beside the archive, which is removed at its end: while it is there, the archive is not
-- unpacked, or not whole.
local function log_of(path) return path .. ".unpacking" end

local tools = { tar = "tar --no-same-owner -xf %s -C %s", zip = "unzip -q -o %s -d %s" }

local function unpack_archive(f, path, folder)
  local log = log_of(path)
  local status = os.execute((tools[f.unpack] .. " >%s 2>&1"):format(quote(path), quote(folder), quote(log)))
  local text = file.read(log)
  if status ~= 0 and status ~= true then
    local package = f.unpack == "zip" and text:find "not found" and " (install the Debian package unzip)" or ""
    core.raise("cannot unpack %s: %s%s", path, last_line(text), package)
  end
  file.remove(log)
end

-- Whether an archive was not unpacked to its end.
local function half_unpacked(m, folder)
  for _, f in ipairs(m.archives or {}) do
    if file.kind(log_of(folder .. "/" .. f.name)) then return true end
  end
  return false
end

-- target(m): the folder that files are fetched to: NAME below EXEUNT_DATA's first folder, else below the user's folder of data.
function fetch.target(m)
  local root = (os.getenv "EXEUNT_DATA" or ""):match "[^:]+" or paths.data()
  return root and root .. "/" .. m.name or core.raise("data fetch: neither EXEUNT_DATA nor HOME names a folder to fetch to")
end

-- set(name) -> the folder in which the set now is, and whether anything was fetched.
function fetch.set(name)
  local m = manifest.find(name)
  local files, where = manifest.locate(m)
  if files and not half_unpacked(m, fetch.target(m)) then return where, false end
  local wanted = m.archives or {}
  if not m.archives then
    for i, role in ipairs(m.roles) do wanted[i] = (m.files or {})[role] and m.files[role][1] or {} end
  end
  for _, f in ipairs(wanted) do
    if not f.url then core.raise("data set '%s': its manifest has no address; to get it: %s", m.name, m.get) end
  end
  local folder = fetch.target(m)
  file.make_folder(folder)
  for _, f in ipairs(wanted) do
    local path = fetch.file(f, folder)
    if f.unpack then unpack_archive(f, path, folder) end
  end
  files, where = manifest.locate(m)
  if not files then core.raise("%s", where) end
  return where, true
end

return fetch
