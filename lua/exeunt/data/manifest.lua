-- data/manifest.lua: the description of a data set, a YAML file: where its files lie, what they must be, what is in them.
-- Reads, checks every value, and finds the files. It opens none of them.
--
--   name: fashion-mnist              as the file: fashion-mnist.yaml
--   about: one line                  source: where it comes from     licence: its terms      get: how to get the files
--   loader: idx                      what reads them, exeunt.data.<loader>: idx, cifar, svhn read files; folder, gtsrb and
--                                    tiny_imagenet decode images in folders
--   folders: [fashion-mnist, /usr/share/datasets/fashion-mnist]
--                                    where to look, in this order; all files must lie in one of them. A relative folder is
--                                    looked for below each folder of EXEUNT_DATA (separated by ":"), below the user's
--                                    folder of data (~/.local/share/exeunt), then beside the manifest
--   files:                           by role (idx: train_images, train_labels, test_images, test_labels; cifar: train_1 to
--     train_images: { name: x.gz }   train_5, as many as there are, test; svhn: train, test): one file, or a list of which
--                                    the first that is there is taken. With it may stand sha256, md5 (one or several that
--                                    are right) and url (where `exeunt data fetch` finds it)
--   parts: { train: a/b, test: c }   in place of files for images in folders: which folder or file holds which part
--   archives: [{ name, url, md5, sha256, unpack: tar or zip }]
--                                    what `exeunt data fetch` gets and unpacks, where the files come packed
--   shape: [1, 28, 28]               C, H, W          train: 60000     test: 10000    images that the files must hold
--   validation: 9000                 how many of the training images are usually held back; may be left out
--   classes: [T-shirt/top, ...]      names, in the order of the labels 0, 1, ...; of images in folders also their number:
--                                    then the folders' names are taken
--   label_bytes: 1                   of cifar: bytes before an image's pixels, the last of them its label
--   mean: [0.286]  std: [0.353]      of each channel's pixels, scaled to 0..1, over the training files; without them
--                                    they are computed
--   class_weights: [1, ...]          of the loss, or balanced: inverse to the classes' counts in the training files; may be
--                                    left out

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

local function hex(count)
  return function(v) return type(v) == "string" and #v == count and not v:find "[^0-9a-f]" end
end

local function label(v) return text(v) or finite(v) end
local function texts(v) return list(v, text) end
local function address(v) return type(v) == "string" and v:find "^https?://[%w%-._~/?#@!$&()*+,;=%%:%[%]]+$" ~= nil end
local function file_name(v) return text(v) and not v:find "/" and not v:find "^%.%.?$" end

-- What each loader reads: files by role, of which `more` may be missing, or parts, one of several sets of them.
local loaders = {
  idx = { files = { "train_images", "train_labels", "test_images", "test_labels" } },
  cifar = { files = { "train_1", "test" }, more = { "train_2", "train_3", "train_4", "train_5" } },
  svhn = { files = { "train", "test" } },
  folder = { parts = { { "all" }, { "train", "test" }, { "train" } } },
  gtsrb = { parts = { { "train", "test" } }, more = { "train_csv", "test_csv" } },
  tiny_imagenet = { parts = { { "train", "test" } } },
}
local loader_names = table.concat(options.sorted_keys(loaders), ", ")

local function of_folders(m) return loaders[m.loader].parts ~= nil end

local function classes(v, m)
  if of_folders(m) and type(v) == "number" then return whole(v) and v >= 2 end
  return list(v, label) and #v >= 2
end

local function class_count(m) return type(m.classes) == "number" and m.classes or #m.classes end

-- The checks: passes(value, manifest) and what was expected. In the order in which they are made. optional: true, or a
-- function of the manifest.
local checks = {
  { "name", text, "a text" },
  { "about", text, "a text" },
  { "source", text, "a text" },
  { "licence", text, "a text", optional = true },
  { "get", text, "a text" },
  { "loader", function(v) return loaders[v] ~= nil end, "one of " .. loader_names },
  { "folders", texts, "a list of folders" },
  { "files", function(v, m) return type(v) == "table" and not of_folders(m) end, "the files by role",
    optional = of_folders },
  { "parts", function(v, m) return type(v) == "table" and of_folders(m) end, "the folders by part",
    optional = function(m) return not of_folders(m) end },
  { "archives", function(v) return type(v) == "table" and #v > 0 end, "a list of archives", optional = true },
  { "shape", function(v) return list(v, whole, 3) and v[1] <= 4 end, "[C, H, W], whole numbers, C at most 4" },
  { "classes", classes, "a list of two or more names" },
  { "train", whole, "a whole number above 0" },
  { "test", whole, "a whole number above 0" },
  { "validation", whole, "a whole number above 0", optional = true },
  { "label_bytes", function(v, m) return whole(v) and v <= 8 and m.loader == "cifar" end, "1 to 8, with the loader cifar",
    optional = true },
  { "mean", function(v, m) return list(v, finite, m.shape[1]) end, "a list of a number for each channel",
    optional = true },
  { "std", function(v, m) return list(v, positive, m.shape[1]) end, "a list of a number above 0 for each channel",
    optional = true },
  { "class_weights", function(v, m) return v == "balanced" or list(v, positive, class_count(m)) end,
    "a list of a number above 0 for each class, or balanced", optional = true },
}

local keys = {}
for _, check in ipairs(checks) do keys[check[1]] = true end

local file_known = { name = true, sha256 = true, md5 = true, url = true }
local archive_known = { name = true, sha256 = true, md5 = true, url = true, unpack = true }

local function only_known(path, where, given, known)
  local odd = {}
  for key in pairs(given) do
    if not known[key] then odd[#odd + 1] = tostring(key) end
  end
  table.sort(odd)
  if odd[1] then
    core.raise("%s: unknown key '%s%s'%s", path, where, odd[1], options.suggest(odd[1], options.sorted_keys(known)))
  end
end

-- One sum or a list of them -> list, checked.
local function sums_of(path, where, v, digits)
  local sums = type(v) == "table" and v or { v }
  if v ~= nil and not list(sums, hex(digits)) then
    core.raise("%s: %s: expected %d hexadecimal digits, in quotes where they are all decimal", path, where, digits)
  end
  return sums
end

-- A file or archive -> { name, url, sha256 = list, md5 = list, unpack }.
local function file_of(path, where, f, known)
  only_known(path, where .. ".", f, known)
  if not file_name(f.name) then core.raise("%s: %s.name: expected the name of a file", path, where) end
  if f.url ~= nil and not address(f.url) then
    core.raise("%s: %s.url: expected an address that starts with http:// or https://", path, where)
  end
  return { name = f.name, url = f.url, unpack = f.unpack, sha256 = sums_of(path, where .. ".sha256", f.sha256, 64),
           md5 = sums_of(path, where .. ".md5", f.md5, 32) }
end

-- One file, or a list of files of which one is needed -> list of { name, sha256 = list, md5 = list, url }.
local function candidates(path, role, v)
  local where = "files." .. role
  if type(v) ~= "table" then core.raise("%s: %s: expected { name: ..., sha256: ... } or a list of such", path, where) end
  local out = {}
  for i, f in ipairs(#v > 0 and v or { v }) do
    if type(f) ~= "table" then core.raise("%s: %s: expected { name: ..., sha256: ... }, got %s", path, where, type(f)) end
    out[i] = file_of(path, where, f, file_known)
  end
  return out
end

local function archive_of(path, i, f)
  local where = ("archives[%d]"):format(i)
  if type(f) ~= "table" then core.raise("%s: %s: expected { name: ..., url: ..., unpack: ... }", path, where) end
  local out = file_of(path, where, f, archive_known)
  if not out.url then core.raise("%s: the key '%s.url' is missing", path, where) end
  if f.unpack ~= "tar" and f.unpack ~= "zip" then core.raise("%s: %s.unpack: expected tar or zip", path, where) end
  return out
end

-- -- Files and parts ---------------------------------------------------------------------------------------------

local function set_of(...)
  local out = {}
  for _, names in pairs { ... } do
    for _, name in ipairs(names) do out[name] = true end
  end
  return out
end

-- The files by role; m.roles: those that there are, in order.
local function files_of(m, path)
  local kind = loaders[m.loader]
  only_known(path, "files.", m.files, set_of(kind.files, kind.more or {}))
  local files = {}
  m.roles = {}
  for _, role in ipairs(kind.files) do
    if m.files[role] == nil then core.raise("%s: the key 'files.%s' is missing", path, role) end
  end
  for _, roles in ipairs { kind.files, kind.more or {} } do
    for _, role in ipairs(roles) do
      if m.files[role] ~= nil then
        files[role], m.roles[#m.roles + 1] = candidates(path, role, m.files[role]), role
      end
    end
  end
  return files
end

-- The parts: relative paths by role.
local function parts_of(m, path)
  local kind = loaders[m.loader]
  only_known(path, "parts.", m.parts, set_of(kind.more or {}, unpack(kind.parts)))
  local chosen
  for _, roles in ipairs(kind.parts) do
    local all = true
    for _, role in ipairs(roles) do all = all and m.parts[role] ~= nil end
    if all and not chosen then chosen = roles end
  end
  if not chosen then core.raise("%s: the key 'parts.%s' is missing", path, kind.parts[1][1]) end
  local parts = {}
  m.roles = {}
  for _, role in ipairs(options.sorted_keys(m.parts)) do
    local v = m.parts[role]
    if not text(v) or v:find "^/" or ("/" .. v .. "/"):find("/../", 1, true) then
      core.raise("%s: parts.%s: expected a path below the set's folder", path, role)
    end
    parts[role], m.roles[#m.roles + 1] = v, role
  end
  return parts
end

-- parse(source, path): the checked manifest of a YAML text; path: where it stands, for messages and relative folders.
function manifest.parse(source, path)
  local m = yaml.load(source, path)
  if type(m) ~= "table" or #m > 0 then core.raise("%s: expected keys and values", path) end
  only_known(path, "", m, keys)
  for _, check in ipairs(checks) do
    local key, passes, expected = unpack(check)
    if m[key] == nil then
      local optional = check.optional
      if type(optional) == "function" then optional = optional(m) end
      if not optional then core.raise("%s: the key '%s' is missing", path, key) end
    elseif not passes(m[key], m) then
      core.raise("%s: %s: expected %s", path, key, expected)
    end
  end
  if (m.mean == nil) ~= (m.std == nil) then core.raise("%s: mean and std: expected both or neither", path) end
  m.path, m.of_folders = path, of_folders(m)
  if m.of_folders then m.parts = parts_of(m, path) else m.files = files_of(m, path) end
  for i, f in ipairs(m.archives or {}) do m.archives[i] = archive_of(path, i, f) end
  if type(m.classes) == "table" then
    m.class_names = {}
    for i, name in ipairs(m.classes) do m.class_names[i] = tostring(name) end
    m.classes = #m.class_names
  end
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

-- The path of the manifest that a name or a path means. A path has a "/" or ends in .yaml.
local function path_of(name)
  return (name:find "/" or name:find "%.ya?ml$") and name or ("%s/%s.yaml"):format(paths.datasets, name)
end

-- known(name): whether it is the name of a data set, which then means that set even where a folder has the same name.
function manifest.known(name) return path_of(name) ~= name and file.kind(path_of(name)) == "file" end

-- Raises the line for a path or a name that is no manifest, where that can be told without reading it.
local function refuse_others(name, path)
  if path ~= name and not manifest.known(name) and file.kind(name) == nil then
    local names = manifest.names()
    local near = options.nearest(name:lower(), names)
    core.raise("data: no data set '%s'; %sthere are: %s; and there is no folder of images by this name", name,
               near and ("did you mean '%s'? "):format(near) or "", table.concat(names, ", "))
  elseif not manifest.known(name) and file.kind(name) == "folder" then
    core.raise("%s: a folder, which has no manifest; images of your own need none: ex.data.open(%q, { size = 64 })", name, name)
  elseif not manifest.known(name) and file.kind(name) == "file" and not name:find "%.ya?ml$" then
    core.raise("%s: expected a data set's manifest (.yaml) or a folder of images, got another file", name)
  elseif path == name and file.kind(name) == nil and not name:find "%.ya?ml$" then
    core.raise("data: there is no folder %s (of images, as FOLDER/CLASS/*.png), and no manifest", name)
  end
end

-- find(name or path): the checked manifest.
function manifest.find(name)
  if type(name) ~= "string" or name == "" then
    core.raise("data: expected the name of a data set or the path of its manifest, got %s", name == "" and "''" or type(name))
  end
  local path = path_of(name)
  refuse_others(name, path)
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
  local own = paths.data()
  for _, folder in ipairs(own and m.folders or {}) do
    if not folder:find "^[/~.]" then add(own .. "/" .. folder) end
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

-- The files or parts in one folder; nil and the first that is missing.
local function all_in(m, folder)
  local found = {}
  for i, role in ipairs(m.roles) do
    for _, f in ipairs(m.files and m.files[role] or { { name = m.parts[role] } }) do
      local path = f.name == "." and folder or folder .. "/" .. f.name
      local kind = file.kind(path)
      if not found[i] and (kind == "file" or kind == "folder" and m.parts) then
        found[i] = { role = role, name = f.name, path = path, sha256 = f.sha256, md5 = f.md5 }
      end
    end
    if not found[i] then return nil, m.files and m.files[role][1].name or m.parts[role], i > 1 end
  end
  return found
end

-- locate(m) -> list of { role, name, path, sha256, md5 }, the folder; or nil and why not, with how to get them. The sums are
-- lists; parts have none.
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
