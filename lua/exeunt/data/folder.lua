-- data/folder.lua: folders of class folders with PNG, JPEG, PPM or PGM files. Labels follow the sorted names of the class
-- folders; every part has the same ones. Lists files; it decodes nothing (data/images.lua). Pictures of other kinds are listed too,
-- so that who decodes refuses or skips them by name: images that are silently missing would be a smaller data set.

local core = require "exeunt.core"
local file = require "exeunt.file"

local folder = {}

local known = { png = true, jpg = true, jpeg = true, ppm = true, pgm = true }

for _, kind in ipairs { "webp", "bmp", "gif", "tif", "tiff", "avif", "heic", "jp2", "jxl" } do known[kind] = true end     -- not decoded

local KINDS = ".png, .jpg, .jpeg, .ppm, .pgm"

function folder.is_image(name) return known[(name:match "%.(%w+)$" or ""):lower()] == true end

-- The names of the folders in a folder, sorted, and how many images lie beside them.
local function folders_in(path)
  local names, loose = {}, 0
  for _, name in ipairs(file.list(path)) do
    if not name:find "^%." and file.kind(path .. "/" .. name) == "folder" then names[#names + 1] = name
    elseif folder.is_image(name) then loose = loose + 1 end
  end
  return names, loose
end

-- classes(path) -> the sorted names of the class folders.
function folder.classes(path)
  local names, loose = folders_in(path)
  if #names < 2 then
    local lie = loose == 1 and "image lies" or "images lie"
    local beside = loose == 0 and "" or ("; %d %s in it: each class needs a folder of its own"):format(loose, lie)
    core.raise("%s: %d class folder%s, expected two or more (FOLDER/CLASS/*.png)%s", path, #names, #names == 1 and "" or "s", beside)
  end
  return names
end

-- collect(path, names, below) -> { paths, labels } of the class folders by those names; below: "/images" where they have one.
function folder.collect(path, names, below)
  local out = { paths = {}, labels = {} }
  for k, name in ipairs(names) do
    local class, before = path .. "/" .. name .. (below or ""), #out.paths
    if file.kind(class) ~= "folder" then core.raise("%s: there is no such class folder", class) end
    for _, entry in ipairs(file.list(class)) do
      if folder.is_image(entry) then
        out.paths[#out.paths + 1], out.labels[#out.labels + 1] = class .. "/" .. entry, k - 1
      end
    end
    if #out.paths == before then core.raise("%s: a class folder without images (%s)", class, KINDS) end
  end
  return out
end

-- list(m, parts): parts: the paths by role -> class names, { role = { paths, labels } }.
function folder.list(_, parts)
  local of = parts.all or parts.train
  local names, out, is_class = folder.classes(of), {}, {}
  for _, name in ipairs(names) do is_class[name] = true end
  for role, path in pairs(parts) do
    for _, name in ipairs(folders_in(path)) do
      if not is_class[name] then core.raise("%s/%s: there is no such class folder in %s", path, name, of) end
    end
    out[role] = folder.collect(path, names)
  end
  return names, out
end

return folder
