-- data/gtsrb.lua: GTSRB's layout: class folders named by their labels (00000 to 00042), or a folder of images with a CSV whose
-- first line names the columns, Filename and ClassId among them, with semicolons between them. Lists files; decodes nothing.

local core = require "exeunt.core"
local file = require "exeunt.file"
local folder = require "exeunt.data.folder"

local gtsrb = {}

local function fields(line)
  local out = {}
  for field in (line .. ";"):gmatch "%s*(.-)%s*;" do out[#out + 1] = field end
  return out
end

-- The images that a CSV lists, in a folder.
local function by_csv(csv, path, classes)
  local out, column, number = { paths = {}, labels = {} }, nil, 0
  for line in file.read(csv):gmatch "[^\r\n]+" do
    number = number + 1
    local f = fields(line)
    if not column then
      column = {}
      for i, name in ipairs(f) do column[name] = i end
      if not column.Filename or not column.ClassId then core.raise("%s: line 1: expected the columns Filename and ClassId", csv) end
    else
      local name, label = f[column.Filename] or "", f[column.ClassId] or ""
      if name == "" or name:find "/" then core.raise("%s: line %d: expected the name of a file, got '%s'", csv, number, name) end
      if not label:find "^%d+$" or tonumber(label) >= classes then
        core.raise("%s: line %d: label %s, expected 0 to %d", csv, number, label == "" and "missing" or label, classes - 1)
      end
      if file.kind(path .. "/" .. name) ~= "file" then core.raise("%s: line %d: %s/%s is missing", csv, number, path, name) end
      out.paths[#out.paths + 1], out.labels[#out.labels + 1] = path .. "/" .. name, tonumber(label)
    end
  end
  if #out.paths == 0 then core.raise("%s: it lists no images", csv) end
  return out
end

-- list(m, parts) -> class names (for a manifest without them: the folders', else the labels), { train = { paths, labels },
-- test = { paths, labels } }.
function gtsrb.list(m, parts)
  local out, classes = {}, nil
  for _, part in ipairs { "train", "test" } do
    local csv = parts[part .. "_csv"]
    if csv then out[part] = by_csv(csv, parts[part], m.classes)
    else
      local names = folder.classes(parts[part])
      if #names ~= m.classes then core.raise("%s: %d class folders, expected %d", parts[part], #names, m.classes) end
      out[part] = folder.collect(parts[part], names)
      classes = classes or names
    end
  end
  if not classes then
    classes = {}
    for k = 1, m.classes do classes[k] = tostring(k - 1) end
  end
  return classes, out
end

return gtsrb
