-- data/decoded.lua: a data set of images in folders, opened: the parts that its loader lists, decoded (data/images.lua), and
-- which images train, validate and test. Where the set has no test images of its own they are drawn by the seed from the
-- rest (stream "split.drawn"), as many as the manifest's `test`.

local core = require "exeunt.core"
local file = require "exeunt.file"
local images = require "exeunt.data.images"
local tensor = require "exeunt.tensor"
local C = core.C

local decoded = {}

-- load(m, by_role, folder, o) -> source { parts by role: { images, labels } }, checksum, class names.
-- o: { shape, method, on_error }.
function decoded.load(m, by_role, folder, o)
  local names, lists = require("exeunt.data." .. m.loader).list(m, by_role)
  if names and #names ~= m.classes then core.raise("%s: %d class folders, expected %d", folder, #names, m.classes) end
  local source, sums = {}, {}
  for _, role in ipairs { "all", "train", "validation", "test" } do
    local list = lists[role]
    if list then
      local want = role == "all" and m.train + m.test or role ~= "validation" and m[role] or #list.paths
      if #list.paths ~= want then core.raise("%s: %d %s images, expected %d", folder, #list.paths, role, want) end
      sums[#sums + 1] = images.digest(folder, list, false)
      source[role] = images.load(folder, m.name .. "-" .. role, list, o)
    end
  end
  source.train = source.train or source.all
  return source, file.digest_text(table.concat(sums)), m.class_names or names
end

-- The places (int32 tensor) of the images that were not skipped.
local function usable(part)
  local data, list = part.labels:data(), {}
  for i = 0, part.labels.shape[1] - 1 do
    if data[i] >= 0 then list[#list + 1] = i end
  end
  return tensor(list, "int32")
end

decoded.usable = usable

local function gathered(places, order)
  local out = tensor.zeros({ order.shape[1] }, "int32")
  local from, at, to = places:data(), order:data(), out:data()
  for i = 0, order.shape[1] - 1 do to[i] = from[at[i]] end
  return out
end

decoded.gathered = gathered

-- The same; none at all is an error.
local function some(m, part)
  local places = usable(part)
  if places.shape[1] == 0 then core.raise("%s: none of %d images can be decoded", m.path, part.labels.shape[1]) end
  return places
end

-- places(m, source, seed) -> train, test: { images, labels, places }.
function decoded.places(m, source, seed)
  local function of(part, places) return { images = part.images, labels = part.labels, places = places } end
  local all = some(m, source.train)
  if source.test then return of(source.train, all), of(source.test, some(m, source.test)) end
  local order = tensor.zeros({ all.shape[1] }, "int32")
  core.check(C.ex_tensor_permutation(order.handle, seed, "split.drawn"))
  local drawn, rest = gathered(all, order), all.shape[1] - m.test
  if rest < 1 then core.raise("data set '%s': %d images, %d of them for the test", m.name, all.shape[1], m.test) end
  return of(source.train, drawn:narrow(0, 0, rest):clone()), of(source.train, drawn:narrow(0, rest, m.test):clone())
end

return decoded
