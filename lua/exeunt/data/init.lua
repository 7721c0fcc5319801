-- data/init.lua: ex.data: data sets by name, in splits. A set is described by a manifest (data/manifest.lua), read by the
-- manifest's loader, and every file of it compared with its checksum at each opening (Fashion-MNIST: 0.15 s).
--
--   local data = ex.data.open("fashion-mnist", { validation = 9000, train_limit = 6000 })
--   data.shape, data.classes, data.train.count, data.train:loader { batch = 64 }

local bare = require "exeunt.data.bare"
local convert = require "exeunt.data.convert"
local decoded = require "exeunt.data.decoded"
local core = require "exeunt.core"
local file = require "exeunt.file"
local loader = require "exeunt.data.loader"
local manifest = require "exeunt.data.manifest"
local options = require "exeunt.options"
local split = require "exeunt.data.split"
local statistics = require "exeunt.data.statistics"
local sums = require "exeunt.data.sums"

local data = {}

-- -- Opening ---------------------------------------------------------------------------------------------------

-- Images and labels that are open, so that opening a set again (other splits, other seeds) shares them.
local open = setmetatable({}, { __mode = "v" })

-- The shape that the options ask for.
local function wanted(m, o)
  local size = o.size or { m.shape[2], m.shape[3] }
  return { o.channels or m.shape[1], size[1], size[2] }
end

-- The same images in that shape; the labels are shared.
local function converted(source, want, o)
  local out = {}
  for _, part in ipairs { "train", "test" } do
    local images = convert.channels(source[part].images, want[1])
    out[part] = { images = convert.resize(images, want[2], want[3], o.resize), labels = source[part].labels }
  end
  return out
end

local function load(m, o)
  local files, folder = m.found, m.path
  if not files then files, folder = manifest.locate(m) end
  if not files then core.raise("%s", folder) end
  if m.of_folders then
    local by_role, want = {}, wanted(m, o)
    for _, f in ipairs(files) do by_role[f.role] = f.path end
    local source, sum, names = decoded.load(m, by_role, folder, { shape = want, method = o.resize, on_error = o.on_error })
    return source, sum, folder, want, names
  end
  local sum, want = sums.all(m, files), wanted(m, o)
  local key = ("%s %s"):format(m.path, sum)
  local shaped = ("%s %dx%dx%d %s"):format(key, want[1], want[2], want[3], o.resize)
  if not open[shaped] then
    if not open[key] then
      local by_role = {}
      for _, f in ipairs(files) do by_role[f.role] = f.path end
      open[key] = require("exeunt.data." .. m.loader).load(m, by_role)
    end
    local same = want[1] == m.shape[1] and want[2] == m.shape[2] and want[3] == m.shape[3]
    open[shaped] = same and open[key] or converted(open[key], want, o)
  end
  return open[shaped], sum, folder, want
end

local function whole(o, name, low, high)
  local v = o[name]
  if v ~= nil and (type(v) ~= "number" or v ~= math.floor(v) or v < low or v > high) then
    core.raise("data.open: %s: expected a whole number, %d or more, got %s", name, low, tostring(v))
  end
end

-- A side or { height, width } -> the latter, or nil.
local function size_of(given)
  if given == nil then return nil end
  local size = type(given) == "table" and given or { given, given }
  for i = 1, 2 do
    local v = size[i]
    if type(v) ~= "number" or v ~= math.floor(v) or v < 1 or v > 65500 or #size ~= 2 then
      core.raise("data.open: size: expected pixels of a side or { height, width }, got %s",
                 type(given) == "table" and "a list" or type(given) == "string" and ("'%s'"):format(given) or tostring(given))
    end
  end
  return size
end

-- A list of one to four numbers above `low`, or nothing.
local function numbers(o, name, low)
  local list = o[name]
  local right = list == nil or type(list) == "table" and #list >= 1 and #list <= 4
  for _, v in ipairs(right and list or {}) do right = right and type(v) == "number" and v > low and v < math.huge end
  if not right then
    core.raise("data.open: %s: expected a list of a number%s for each channel", name, low == 0 and " above 0" or "")
  end
end

local function check(given)
  local o = options.check("data.open", given, { validation = 0, train_limit = options.optional, test_limit = options.optional,
                                                augment = options.optional, seed = 0, size = options.optional,
                                                resize = "bicubic", channels = options.optional, on_error = "fail",
                                                mean = options.optional, std = options.optional })
  if o.validation ~= "usual" then whole(o, "validation", 0, 2 ^ 31 - 1) end
  whole(o, "train_limit", 1, 2 ^ 31 - 1)
  whole(o, "test_limit", 1, 2 ^ 31 - 1)
  whole(o, "seed", 0, 2 ^ 53)
  loader.augment_of("data.open", o.augment)
  o.size = size_of(o.size)
  if not convert.methods[o.resize] then
    core.raise("data.open: resize: expected 'bilinear' or 'bicubic', got %s", tostring(o.resize))
  end
  if o.on_error ~= "fail" and o.on_error ~= "skip" then
    core.raise("data.open: on_error: expected 'fail' or 'skip', got %s", tostring(o.on_error))
  end
  numbers(o, "mean", -math.huge)
  numbers(o, "std", 0)
  if o.channels ~= nil and o.channels ~= 1 and o.channels ~= 3 then
    core.raise("data.open: channels: expected 1 or 3, got %s", tostring(o.channels))
  end
  return o
end

-- The manifest's numbers for as many channels: grey's serve all three; nil: to be counted.
local function for_channels(list, channels)
  if not list or #list == channels then return list end
  if #list == 1 then return { list[1], list[1], list[1] } end
end

-- Mean, deviation and class weights, those that the manifest leaves open counted from the training files. Kept with them.
local function complete(m, source, channels, o)
  local mean, std = for_channels(o.mean or m.mean, channels), for_channels(o.std or m.std, channels)
  if (o.mean and not mean) or (o.std and not std) then
    core.raise("data.open: mean and std: expected a number for each channel (%d), or one for all", channels)
  end
  if not (mean and std) and not source.statistics then
    source.statistics = statistics.channels(source.train.images, source.train.labels)
  end
  local weights = m.class_weights
  if weights == "balanced" then
    source.weights = source.weights or statistics.weights(m.path, statistics.counts(source.train.labels, m.classes))
    weights = source.weights
  end
  return mean or source.statistics.mean, std or source.statistics.std, weights
end

-- How many images to hold back: the option, or what the manifest calls usual. A folder of validation images is all of them.
local function held_back(m, o)
  if m.holds_validation then
    if o.validation ~= "usual" and o.validation ~= 0 then
      core.raise("data.open: validation: %s has a folder of validation images; leave this option out", m.path)
    end
    o.validation = 0
  end
  if o.validation ~= "usual" then return end
  if not m.validation then
    core.raise("data.open: validation: %s does not say how many images are usual; give a number", m.path)
  end
  o.validation = m.validation
end

local Data = {}
Data.__index = Data

-- open(name, path of a manifest or of a folder of class folders (data/bare.lua), options) -> {
--   name, about, folder, shape = { C, H, W }, classes (count), class_names, mean, std, class_weights (list or nil),
--   checksum (hexadecimal, of all files), seed, train, validation, test }
-- A split: { name, images (uint8 (N, C, H, W)), labels (int32 (N)), index (int32 (count): its places in images), count,
-- mean, std, augment, :loader{ batch, augment } }.
-- The name of a data set means that set, even where a folder has it too: that one is ./NAME.
-- Options:
--   validation = 0      images taken from the training files for validation; "usual": as many as the manifest says
--   size                pixels of a side, or { height, width }: the images are made that size, by `resize`, "bicubic" (the
--                       default) or "bilinear", with antialiasing
--   on_error = "fail"   of images in folders: one that cannot be decoded is an error; "skip": it is named and left out
--   mean, std           lists that images are normalised by in place of the manifest's (pixels scaled to 0..1)
--   channels            1 or 3: grey repeated, or colour made grey
--   train_limit         train on at most so many; test_limit: test on at most so many
--   augment             { shift = pixels, flip = boolean }: what the training split's loaders do unless told otherwise
--   seed = 0            of the splits. It is not the run's seed by default: a network that is loaded later must find the
--                       same images held back
function data.open(name, given)
  local o = check(given)
  local m = bare.is(name) and not manifest.known(name) and bare.manifest(name, o) or manifest.find(name)
  held_back(m, o)
  local source, sum, folder, shape, names = load(m, o)
  local mean, std, weights = complete(m, source, shape[1], o)
  local function part(what, from, index, augment)
    return split.new { name = what, set = m.name, images = from.images, labels = from.labels, index = index, mean = mean,
                       std = std, augment = augment }
  end
  local from, tested = source.train, source.test
  if m.of_folders then from, tested = decoded.places(m, source, o.seed) end
  local train, validation = split.divide(from.places and from.places.shape[1] or m.train, o)
  local test = split.test(tested.places and tested.places.shape[1] or m.test, o)
  if from.places then
    train, validation = decoded.gathered(from.places, train), decoded.gathered(from.places, validation)
    test = decoded.gathered(tested.places, test)
  end
  local validated = from
  if source.validation then validated, validation = source.validation, decoded.usable(source.validation) end
  return setmetatable({
    name = m.name, about = m.about, folder = folder, shape = shape, classes = m.classes, class_names = names or m.class_names,
    mean = mean, std = std, class_weights = weights, checksum = sum, seed = o.seed, source = source,
    train = part("train", from, train, o.augment),
    validation = part("validation", validated, validation),
    test = part("test", tested, test),
  }, Data)
end

function Data:__tostring()
  return ("%s: images of (%d, %d, %d), %d classes; train %d, validation %d, test %d"):format(self.name, self.shape[1],
    self.shape[2], self.shape[3], self.classes, self.train.count, self.validation.count, self.test.count)
end

-- -- What there is ---------------------------------------------------------------------------------------------

-- What is known of a set, from its manifest and a look at the folders; nothing is read.
local function entry(m)
  local files, folder = manifest.locate(m)
  local e = { name = m.name, about = m.about, source = m.source, licence = m.licence, get = m.get, here = files ~= nil,
              looked_in = manifest.folders(m), files = {} }
  e[files and "folder" or "missing"] = folder
  for i, f in ipairs(files or {}) do
    local algorithm, expected = sums.expected(f)
    e.files[i] = { role = f.role, name = f.name, path = f.path, algorithm = algorithm, expected = expected, sha256 = f.sha256,
                   md5 = f.md5 }
  end
  return e
end

-- list() -> a list, sorted by name, of { name, about, source, licence, get, here, folder or missing (why not), looked_in,
-- files = { { role, name, path, algorithm = "sha256" or "md5", expected = { sum, ... } }, ... } }; of a broken manifest
-- { name, problem }.
function data.list()
  local out = {}
  for i, name in ipairs(manifest.names()) do
    local ok, m = pcall(manifest.find, name)
    out[i] = ok and entry(m) or { name = name, here = false, problem = m, files = {} }
  end
  return out
end

-- verify(name) -> the same for one set, with `actual` (the sum) and `ok` for each file, and `ok` for the set.
function data.verify(name)
  local e = entry(manifest.find(name))
  e.ok = e.here
  for _, f in ipairs(e.files) do
    local is_file = file.kind(f.path) == "file"
    f.actual = is_file and file.digest(f.path, f.algorithm) or nil
    f.ok = not is_file or sums.right(f, f.actual)
    e.ok = e.ok and f.ok
  end
  return e
end

return data
