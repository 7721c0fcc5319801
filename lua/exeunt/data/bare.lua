-- data/bare.lua: a folder of images that no manifest describes, as one: what a manifest would say follows from the folders and
-- from the options. It decodes nothing.
--
--   FOLDER/CLASS/*.png                            class folders: the test images are drawn from them by the seed, a fifth
--   FOLDER/train/CLASS/*.png, test, validation    folders of their own (also val or valid, and in capitals; where only they
--                                                 are there and no test, they are the test, as in ImageNet)

local core = require "exeunt.core"
local file = require "exeunt.file"
local folder = require "exeunt.data.folder"

local bare = {}

-- is(name): whether it is the path of a folder.
function bare.is(name) return type(name) == "string" and name ~= "" and file.kind(name) == "folder" end

-- The folders by part.
local function parts_of(path)
  local at = {}
  for _, name in ipairs(file.list(path)) do
    if not at[name:lower()] and file.kind(path .. "/" .. name) == "folder" then at[name:lower()] = name end
  end
  if not at.train then return { all = "." } end
  local parts = { train = at.train, test = at.test, validation = at.validation or at.valid or at.val }
  if not parts.test then parts.test, parts.validation = parts.validation, nil end
  return parts
end

-- What manifest.locate would find: the parts, each { role, name, path }; and the paths by role.
local function found_in(path, parts)
  local found, by_role = {}, {}
  for _, role in ipairs { "all", "train", "validation", "test" } do
    local name = parts[role]
    if name then
      by_role[role] = name == "." and path or path .. "/" .. name
      found[#found + 1] = { role = role, name = name, path = by_role[role] }
    end
  end
  return found, by_role
end

-- manifest(path, o): the manifest (data/manifest.lua) of the images in a folder, with `found`, where its parts are; o.size:
-- { height, width }, required.
function bare.manifest(path, o)
  path = #path > 1 and path:gsub("/+$", "") or path
  local found, by_role = found_in(path, parts_of(path))
  local names, lists = folder.list(nil, by_role)
  if not o.size then
    core.raise("data.open: %s is a folder of images: size: give pixels of a side, or { height, width }", path)
  end
  local m = { name = path:match "[^/]+$" or path, about = "images in " .. path, path = path, found = found, loader = "folder",
              of_folders = true, shape = { 3, o.size[1], o.size[2] }, classes = #names, class_names = names,
              holds_validation = by_role.validation ~= nil }
  local count = #(lists.all or lists.train).paths
  m.test = lists.test and #lists.test.paths or math.floor(count / 5)
  m.train = lists.all and count - m.test or count
  if not lists.test and m.test < 1 then core.raise("%s: %d images, too few to draw a test set from", path, count) end
  return m
end

return bare
