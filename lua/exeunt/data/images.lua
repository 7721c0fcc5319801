-- data/images.lua: image files to tensors, decoded once in worker processes (core/io/decode.c) into a cache file
-- (core/io/cache.c) that is mapped afterwards. A cache is used only where its version and its source, a digest of the files'
-- names, sizes, times and labels, are what they should be, and all its bytes are as they were written: their checksums are
-- compared once in a process (on all cores; 1 GB in less than a second), and again if the file has changed since. Else it
-- is made again, which is said on standard error. It lies in EXEUNT_CACHE, else beside the images, else (where that folder
-- cannot be written) in the user's folder of caches.

local core = require "exeunt.core"
local file = require "exeunt.file"
local json = require "exeunt.report.json"
local paths = require "exeunt.paths"
local plan = require "exeunt.plan"
local progress = require "exeunt.report.progress"
local tensor = require "exeunt.tensor"
local C, ffi = core.C, core.ffi

local images = {}

local VERSION = "2"                         -- of what the metadata say and the pixels mean
local MEMORY, SECONDS = 1e9, 60             -- limits for one image
local STEP = 64                             -- blocks (MiB) of a cache that are checked at a time

-- The digest of a list { paths, labels }, names without `folder`; with times: for the cache, without: for the data set. A file
-- that cannot be looked at (a link to nowhere) counts as one of size -1: whoever decodes it says why.
function images.digest(folder, list, times)
  local lines = {}
  for i, path in ipairs(list.paths) do
    local there, size, time = pcall(file.stat, path)
    if not there then size, time = -1, 0 end
    lines[i] = ("%s %.0f %s %d"):format(path:sub(#folder + 2), size, times and ("%.6f"):format(time) or "", list.labels[i])
  end
  return file.digest_text(table.concat(lines, "\n"))
end

local function say(format, ...)
  progress.clear()
  io.stderr:write("exeunt: ", format:format(...), "\n")
end

-- Where a cache may lie, in the order of preference.
local function places(folder, name)
  local own = os.getenv "EXEUNT_CACHE"
  if own and own ~= "" then return { own .. "/" .. file.digest_text(folder):sub(1, 12) .. "-" .. name } end
  local out = { folder .. "/exeunt-cache-" .. name }
  if paths.cache() then out[2] = paths.cache() .. "/" .. file.digest_text(folder):sub(1, 12) .. "-" .. name end
  return out
end

local function release(cache) core.release(cache, C.ex_cache_free) end

local checked = {}                          -- caches whose checksums were right: by path, the file's size and time

-- Whether the cache at a path is as it was written; else nil and why not.
local function check(cache, path)
  local stamp, blocks = ("%.0f %.6f"):format(file.stat(path)), C.ex_cache_blocks(cache)
  if checked[path] == stamp then return true end
  local bar = progress.new { label = "checking", total = blocks, unit = "MB" }
  for first = 0, blocks - 1, STEP do
    if C.ex_cache_check(cache, first, math.min(STEP, blocks - first), plan.team()) ~= C.EX_OK then
      bar:finish()
      return nil, core.message()
    end
    if C.ex_interrupted() ~= 0 then core.raise("interrupted while %s was checked", path) end
    bar:update(first)
  end
  bar:finish()
  checked[path] = stamp
  return true
end

-- The cache at a path if it is right; else nil and, where there is one, why not.
local function open(path, source)
  if file.kind(path) ~= "file" then return nil end
  local raw = C.ex_cache_open(path)
  if raw == nil then return nil, core.message() end
  local cache = core.own(raw, C.ex_cache_free)
  local meta = json.decode(ffi.string(C.ex_cache_metadata(cache)))
  local why = meta.version ~= VERSION and path .. " is of another version" or meta.source ~= source and path .. " is of another source"
    or select(2, check(cache, path))
  if not why then return cache end
  release(cache)
  return nil, why
end

-- Decodes list.paths into the cache being made; gives the failures as a list of { index, line }.
local function decode(cache, list, o, label)
  local options = ffi.new("ex_images_options", { channels = o.shape[1], height = o.shape[2], width = o.shape[3],
    resize = o.resize, workers = C.ex_cpu_count(), memory_bytes = MEMORY, seconds = SECONDS })
  local out = tensor.wrap(C.ex_cache_images(cache))
  local job = core.own(C.ex_images_start(out.handle, ffi.new("const char *[?]", #list.paths, list.paths), #list.paths, options),
                       C.ex_images_free)
  local bar, p = progress.new { label = label, total = #list.paths, unit = "images" }, ffi.new "ex_images_progress"
  repeat
    core.check(C.ex_images_wait(job, 0.1, p))
    if C.ex_interrupted() ~= 0 then core.raise("interrupted while images were decoded; nothing of the cache is kept") end
    bar:update(p.done + p.failed)
  until p.done + p.failed == p.total
  bar:finish()
  local bad, index = {}, ffi.new "int32_t[1]"
  for i = 0, p.failed - 1 do
    local line = ffi.string(C.ex_images_problem(job, i, index))
    bad[i + 1] = { index = index[0], line = line }
  end
  core.release(job, C.ex_images_free)
  return bad
end

-- Takes away what killed processes left of a cache at that path: files of no process here, a day old (in a folder that machines
-- share, another one may be at work).
local function sweep(path)
  local folder, name = path:match "^(.*)/([^/]+)$"
  for _, entry in ipairs(file.list(folder)) do
    local process = entry:sub(1, #name + 2) == "." .. name .. "." and entry:match("^(%d+)%.%d+%.tmp$", #name + 3)
    local left = folder .. "/" .. entry
    if process and file.kind("/proc/" .. process) == nil and os.time() - select(2, file.stat(left)) > 24 * 3600 then file.remove(left) end
  end
end

-- A cache under the first of the places that takes it.
local function create(at, count, shape, metadata)
  local why
  for _, path in ipairs(at) do
    local ok, problem = pcall(file.make_folder, path:match "^(.*)/")
    pcall(sweep, path)                                               -- a folder that cannot be listed may be written all the same
    local raw = ok and C.ex_cache_create(path, count, shape[1], shape[2], shape[3], metadata) or nil
    if raw ~= nil then return core.own(raw, C.ex_cache_free) end
    why = why or (ok and core.message() or problem)
  end
  core.raise("%s (decoded images are kept there; EXEUNT_CACHE may name another folder for them)", why)
end

local function build(at, list, o, source, label)
  local cache = create(at, #list.paths, o.shape, ("{\"source\":\"%s\",\"version\":\"%s\"}"):format(source, VERSION))
  local bad = decode(cache, list, o, label)
  if #bad > 0 and o.on_error ~= "skip" then
    release(cache)
    core.raise("%s (%son_error = 'skip' leaves such images out)", bad[1].line, #bad > 1 and ("and %d more; "):format(#bad - 1) or "")
  end
  local labels = tensor.wrap(C.ex_cache_labels(cache)):data()
  for i, k in ipairs(list.labels) do labels[i - 1] = k end
  for _, b in ipairs(bad) do
    say("skipped: %s", b.line)
    labels[b.index] = -1
  end
  core.check(C.ex_cache_finish(cache, plan.team()))
  return cache
end

-- load(folder, name, list, o) -> { images uint8 (N, C, H, W), labels int32 (N), -1 for an image that was skipped }.
-- list: { paths, labels }; o: { shape, method = "none", "bilinear" or "bicubic", on_error = "fail" or "skip" }.
function images.load(folder, name, list, o)
  local methods = { none = C.EX_RESIZE_NONE, bilinear = C.EX_RESIZE_BILINEAR, bicubic = C.EX_RESIZE_BICUBIC }
  o = { shape = o.shape, resize = methods[o.method], method = o.method, on_error = o.on_error }
  local source = images.digest(folder, list, true)
  local at = places(folder, ("%s-%dx%dx%d-%s.safetensors"):format(name, o.shape[1], o.shape[2], o.shape[3], o.method))
  local cache
  for _, path in ipairs(at) do
    local why
    if not cache then cache, why = open(path, source) end
    if why then say("%s; the images are decoded again", why) end
  end
  cache = cache or build(at, list, o, source, name)
  local out = { images = tensor.wrap(C.ex_cache_images(cache)), labels = tensor.wrap(C.ex_cache_labels(cache)) }
  local data, count = out.labels:data(), #list.labels
  for i = 0, count - 1 do
    if data[i] < 0 and o.on_error ~= "skip" then
      release(cache)
      core.raise("%s: this image cannot be decoded (on_error = 'skip' leaves it out)", list.paths[i + 1])
    end
  end
  release(cache)                            -- the tensors keep the mapping
  return out
end

return images
