-- data/manifest.lua: the description of a data set, a YAML file: where its files lie, what they must be, what is in them.
-- Reads, checks every value, and finds the files. It opens none of them.
--
--   name: fashion-mnist              as the file: fashion-mnist.yaml
--   about: one line                  source: where it comes from     licence: its terms      get: how to get the files
--   loader: idx                      what reads the files: exeunt.data.<loader>
--   folders: [fashion-mnist, /usr/share/datasets/fashion-mnist]
--                                    where to look, in this order; all files must lie in one of them. A relative folder is
--                                    looked for below each folder of EXEUNT_DATA (separated by ":"), then beside the manifest
--   files:                           train_images, train_labels, test_images, test_labels: one file, or a list of which
--     train_images: { name: x.gz, sha256: "..." }            the first that is there is taken; sha256 (one or several
--                                    that are right) may be left out
--   shape: [1, 28, 28]               C, H, W          train: 60000     test: 10000    images that the files must hold
--   classes: [T-shirt/top, ...]      names, in the order of the labels 0, 1, ...
--   mean: [0.286]  std: [0.353]      of each channel's pixels, scaled to 0..1, over the training files
--   class_weights: [1, ...]          of the loss; may be left out

local core = require "exeunt.core"
local file = require "exeunt.file"
local options = require "exeunt.options"
local paths = require "exeunt.paths"
local yaml = require "exeunt.yaml"

local manifest = {}

-- -- Values ----------------------------------------------------------------------------------------------------

local function whole(v) return type(v) == "number" and v >= 1 and v < 2 ^ 31 and v == math.floor(v) end
local function finite(v) return type(v) == "number" and v - v == 0 end
local function positive(v) return finite(v) and v > 0 end
local function text(v) return type(v) == "string" and v:find "%S" ~= nil end

-- Whether v is a list of `count` (or at least one) values that all pass.
local function list(v, passes, count)
  if type(v) ~= "table" or #v == 0 or (count and #v ~= count) then return false end
  local n = 0
  for _ in pairs(v) do n = n + 1 end
  if n ~= #v then return false end
  for _, x in ipairs(v) do if not passes(x) then return false end end
  return true
end

local function hash(v) return type(v) == "string" and #v == 64 and not v:find "[^0-9a-f]" end
local function label(v) return text(v) or finite(v) end
local function texts(v) return list(v, text) end

-- The checks: passes(value, manifest) and what was expected. In the order in which they are made.
local checks = {
  { "name", text, "a text" },
  { "about", text, "a text" },
  { "source", text, "a text" },
  { "licence", text, "a text", optional = true },
  { "get", text, "a text" },
  { "loader", function(v) return v == "idx" end, "idx" },
  { "folders", texts, "a list of folders" },
  { "files", function(v) return type(v) == "table" end, "train_images, train_labels, test_images and test_labels" },
  { "shape", function(v) return list(v, whole, 3) and v[1] <= 4 end, "[C, H, W], whole numbers, C at most 4" },
  { "classes", function(v) return list(v, label) and #v >= 2 end, "a list of two or more names" },
  { "train", whole, "a whole number above 0" },
  { "test", whole, "a whole number above 0" },
  { "mean", function(v, m) return list(v, finite, m.shape[1]) end, "a list of a number for each channel" },
  { "std", function(v, m) return list(v, positive, m.shape[1]) end, "a list of a number above 0 for each channel" },
  { "class_weights", function(v, m) return list(v, positive, #m.classes) end, "a list of a number above 0 for each class",
    optional = true },
}

local keys = {}
for _, check in ipairs(checks) do keys[check[1]] = true end

local roles = { "train_images", "train_labels", "test_images", "test_labels" }
local role_known = {}
for _, role in ipairs(roles) do role_known[role] = true end
local file_known = { name = true, sha256 = true }

local function only_known(path, where, given, known)
  for key in pairs(given) do
    if not known[key] then
      core.raise("%s: unknown key '%s%s'%s", path, where, tostring(key), options.suggest(key, options.sorted_keys(known)))
    end
  end
end

-- One file, or a list of files of which one is needed -> list of { name, sha256 = list }.
local function candidates(path, role, v)
  local where = "files." .. role
  if type(v) ~= "table" then core.raise("%s: %s: expected { name: ..., sha256: ... } or a list of such", path, where) end
  local out = {}
  for i, f in ipairs(#v > 0 and v or { v }) do
    if type(f) ~= "table" then core.raise("%s: %s: expected { name: ..., sha256: ... }, got %s", path, where, type(f)) end
    only_known(path, where .. ".", f, file_known)
    if not text(f.name) or f.name:find "/" then core.raise("%s: %s.name: expected the name of a file", path, where) end
    local sums = type(f.sha256) == "table" and f.sha256 or { f.sha256 }
    if f.sha256 ~= nil and not list(sums, hash) then
      core.raise("%s: %s.sha256: expected 64 hexadecimal digits, in quotes where they are all decimal", path, where)
    end
    out[i] = { name = f.name, sha256 = sums }
  end
  return out
end

-- parse(source, path): the checked manifest of a YAML text; path: where it stands, for messages and relative folders.
function manifest.parse(source, path)
  local m = yaml.load(source, path)
  if type(m) ~= "table" or #m > 0 then core.raise("%s: expected keys and values", path) end
  only_known(path, "", m, keys)
  for _, check in ipairs(checks) do
    local key, passes, expected = unpack(check)
    if m[key] == nil then
      if not check.optional then core.raise("%s: the key '%s' is missing", path, key) end
    elseif not passes(m[key], m) then
      core.raise("%s: %s: expected %s", path, key, expected)
    end
  end
  only_known(path, "files.", m.files, role_known)
  local files = {}
  for _, role in ipairs(roles) do
    if m.files[role] == nil then core.raise("%s: the key 'files.%s' is missing", path, role) end
    files[role] = candidates(path, role, m.files[role])
  end
  m.files, m.path = files, path
  m.class_names = {}
  for i, name in ipairs(m.classes) do m.class_names[i] = tostring(name) end
  m.classes = #m.class_names
  return m
end

-- -- By name ---------------------------------------------------------------------------------------------------

-- names(): the data sets that the engine knows, sorted.
function manifest.names()
  local names = {}
  if file.kind(paths.datasets) ~= "folder" then return names end
  for _, name in ipairs(file.list(paths.datasets)) do
    names[#names + 1] = name:match "^(.+)%.yaml$"
  end
  return names
end

-- find(name or path): the checked manifest. A path has a "/" or ends in .yaml.
function manifest.find(name)
  if type(name) ~= "string" then
    core.raise("data: expected the name of a data set or the path of its manifest, got %s", type(name))
  end
  local path = name
  if not name:find "/" and not name:find "%.ya?ml$" then
    path = ("%s/%s.yaml"):format(paths.datasets, name)
    if file.kind(path) ~= "file" then
      local names = manifest.names()
      local near = options.nearest(name, names)
      core.raise("data: no data set '%s'; %sthere are: %s", name, near and ("did you mean '%s'? "):format(near) or "",
                 table.concat(names, ", "))
    end
  end
  local m = manifest.parse(file.read(path), path)
  local stem = path:match "([^/]+)%.ya?ml$" or path:match "[^/]+$"
  if m.name ~= stem then core.raise("%s: name: expected '%s', as the file is called, got '%s'", path, stem, m.name) end
  return m
end

-- -- Files -------------------------------------------------------------------------------------------------------

-- folders(m): where the files of a manifest are looked for, in order.
function manifest.folders(m)
  local out = {}
  local function add(folder) out[#out + 1] = (folder:gsub("/%.?$", "")) end
  for root in (os.getenv "EXEUNT_DATA" or ""):gmatch "[^:]+" do
    for _, folder in ipairs(m.folders) do
      if not folder:find "^[/~]" then add(root .. "/" .. folder) end
    end
  end
  local beside, home = m.path:match "^(.*)/[^/]*$" or ".", os.getenv "HOME"
  for _, folder in ipairs(m.folders) do
    if folder:sub(1, 1) == "/" then add(folder)
    elseif folder:sub(1, 2) == "~/" then
      if home and home ~= "" then add(home .. folder:sub(2)) end
    else add(beside .. "/" .. folder) end
  end
  return out
end

-- The four files in one folder; nil and the first that is missing.
local function all_in(m, folder)
  local found = {}
  for i, role in ipairs(roles) do
    for _, f in ipairs(m.files[role]) do
      local path = folder .. "/" .. f.name
      if not found[i] and file.kind(path) == "file" then
        found[i] = { role = role, name = f.name, path = path, sha256 = f.sha256 }
      end
    end
    if not found[i] then return nil, m.files[role][1].name, i > 1 end
  end
  return found
end

-- locate(m) -> list of { role, name, path, sha256 }, the folder; or nil and why not, with how to get them.
function manifest.locate(m)
  local where, partly = manifest.folders(m), nil
  for _, folder in ipairs(where) do
    local found, missing, some = all_in(m, folder)
    if found then return found, folder end
    if some and not partly then partly = ("%s/%s is missing"):format(folder, missing) end
  end
  return nil, ("data set '%s' is not here: %s; to get it: %s"):format(m.name,
    partly or "no files in " .. table.concat(where, ", "), m.get)
end

return manifest
