-- data/tiny_imagenet.lua: Tiny ImageNet's layout: train/CLASS/images/*.JPEG; val/images/*.JPEG with val/val_annotations.txt, a
-- line a file: name, tab, class, tab, four numbers. "val" is the test set. Lists files; it decodes nothing.

local core = require "exeunt.core"
local file = require "exeunt.file"
local folder = require "exeunt.data.folder"

local tiny_imagenet = {}

-- list(m, parts) -> class names, { train = { paths, labels }, test = { paths, labels } }.
function tiny_imagenet.list(_, parts)
  local names, label = folder.classes(parts.train), {}
  for k, name in ipairs(names) do label[name] = k - 1 end
  local test, notes = { paths = {}, labels = {} }, parts.test .. "/val_annotations.txt"
  local number = 0
  for line in file.read(notes):gmatch "[^\r\n]+" do
    number = number + 1
    local name, class = line:match "^([^\t/]+)\t([^\t]+)"
    if not name then core.raise("%s: line %d: expected a file and a class, with tabs between them", notes, number) end
    local path = parts.test .. "/images/" .. name
    if not label[class] then core.raise("%s: line %d: there is no class '%s'", notes, number, class) end
    if file.kind(path) ~= "file" then core.raise("%s: line %d: %s is missing", notes, number, path) end
    test.paths[number], test.labels[number] = path, label[class]
  end
  return names, { train = folder.collect(parts.train, names, "/images"), test = test }
end

return tiny_imagenet
