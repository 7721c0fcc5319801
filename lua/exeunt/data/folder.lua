-- data/folder.lua: folders of class folders with PNG, JPEG, PPM or PGM files. Labels follow the sorted names of the class
-- folders. Lists files; it decodes nothing (data/images.lua).

local core = require "exeunt.core"
local file = require "exeunt.file"

local folder = {}

local known = { png = true, jpg = true, jpeg = true, ppm = true, pgm = true }

function folder.is_image(name) return known[(name:match "%.(%w+)$" or ""):lower()] == true end

-- classes(path) -> the sorted names of the class folders.
function folder.classes(path)
  local names = {}
  for _, name in ipairs(file.list(path)) do
    if not name:find "^%." and file.kind(path .. "/" .. name) == "folder" then names[#names + 1] = name end
  end
  if #names < 2 then core.raise("%s: %d class folders, expected two or more (FOLDER/CLASS/*.png)", path, #names) end
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
    if #out.paths == before then core.raise("%s: a class folder without images", class) end
  end
  return out
end

-- list(m, parts): parts: the paths by role -> class names, { role = { paths, labels } }.
function folder.list(_, parts)
  local names = folder.classes(parts.all or parts.train)
  local out = {}
  for role, path in pairs(parts) do out[role] = folder.collect(path, names) end
  return names, out
end

return folder
