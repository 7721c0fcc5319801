-- manifest_test.lua: the manifests that come along are right; each wrong value has its line; where files are looked for.

local lu = require "luaunit"
local ffi = require "ffi"
local file = require "exeunt.file"
local manifest = require "exeunt.data.manifest"
local command = dofile "tests/support/command.lua"
local dataset = dofile "tests/support/dataset.lua"

ffi.cdef "int setenv(const char *, const char *, int); int unsetenv(const char *);"

TestManifest = {}

function TestManifest:setUp() self.folder = command.folder() end
function TestManifest:tearDown()
  ffi.C.unsetenv "EXEUNT_DATA"
  ffi.C.unsetenv "XDG_DATA_HOME"
  command.remove(self.folder)
end

local NAMES = { "cifar-10", "cifar-100", "eurosat", "fashion-mnist", "gtsrb", "mnist", "svhn", "tiny-imagenet" }

-- Each file, or the archive that it comes in, has a checksum.
local function has_sums(m)
  for _, list in pairs(m.files or {}) do
    for _, f in ipairs(list) do
      if #f.sha256 + #f.md5 == 0 and not m.archives then return false end
    end
  end
  for _, f in ipairs(m.archives or {}) do
    if #f.sha256 + #f.md5 == 0 then return false end
  end
  return true
end

function TestManifest:test_those_that_come_along()
  lu.assertEquals(manifest.names(), NAMES)
  for _, name in ipairs(NAMES) do
    local m = manifest.find(name)
    lu.assertEquals(m.name, name)
    lu.assertTrue(has_sums(m))
  end
  local fashion = manifest.find "fashion-mnist"
  lu.assertEquals({ fashion.shape, fashion.classes, fashion.train, fashion.test }, { { 1, 28, 28 }, 10, 60000, 10000 })
  lu.assertEquals(fashion.class_names[10], "Ankle boot")
  lu.assertEquals(manifest.find("mnist").class_names[1], "0")
  lu.assertEquals(manifest.find("cifar-10").roles, { "train_1", "test", "train_2", "train_3", "train_4", "train_5" })
  local hundred = manifest.find "cifar-100"
  lu.assertEquals({ hundred.classes, hundred.class_names[100], hundred.label_bytes }, { 100, "worm", 2 })
  lu.assertNil(manifest.find("svhn").mean)
end

function TestManifest:test_names()
  lu.assertErrorMsgContains("data: no data set 'fashion-mnst'; did you mean 'fashion-mnist'? there are: " .. table.concat(NAMES, ", "),
                            manifest.find, "fashion-mnst")
  lu.assertErrorMsgContains("data: no data set 'imagenet'; there are: " .. table.concat(NAMES, ", "), manifest.find, "imagenet")
  lu.assertErrorMsgContains("; and there is no folder of images by this name", manifest.find, "imagenet")
  lu.assertErrorMsgContains("did you mean 'fashion-mnist'?", manifest.find, "Fashion-MNIST")
  lu.assertErrorMsgContains(("data: there is no folder %s/none (of images"):format(self.folder), manifest.find, self.folder .. "/none")
  lu.assertErrorMsgContains("expected the name of a data set", manifest.find, nil)
  lu.assertErrorMsgEquals(("%s: a folder, which has no manifest; images of your own need none: ex.data.open(%q, { size = 64 })")
                          :format(self.folder, self.folder), manifest.find, self.folder)
  lu.assertErrorMsgContains("tests: a folder, which has no manifest", manifest.find, "tests")
  lu.assertErrorMsgContains("Makefile: expected a data set's manifest (.yaml) or a folder of images", manifest.find, "Makefile")
  lu.assertEquals({ manifest.known "mnist", manifest.known "tests", manifest.known "datasets/mnist.yaml" }, { true, false, false })
  lu.assertErrorMsgContains("cannot read " .. self.folder .. "/none.yaml", manifest.find, self.folder .. "/none.yaml")
  command.write(self.folder .. "/other.yaml", dataset.manifest)
  lu.assertErrorMsgContains("other.yaml: name: expected 'other', as the file is called, got 'small'", manifest.find,
                            self.folder .. "/other.yaml")
end

-- The manifest of the tests with `from` (a pattern) replaced.
local function with(from, to)
  local text, n = dataset.manifest:gsub(from, (to:gsub("%%", "%%%%")))
  assert(n == 1, from)
  return text
end

function TestManifest:test_wrong_values()
  local sum = ("a"):rep(64)
  local cases = {
    { "about: a test", "about: [1]", "about: expected a text" },
    { "about: a test\n", "", "the key 'about' is missing" },
    { "about: a test", "abuot: a test", "unknown key 'abuot'; did you mean 'about'?" },
    { "about: a test", "about: a test\nabout: again", "small.yaml:3:1:" },
    { "about: a test", "about: 'a", "small.yaml:" },
    { "loader: idx", "loader: os", "loader: expected one of cifar, folder, gtsrb, idx, svhn, tiny_imagenet" },
    { "folders: %[%.%]", "folders: .", "folders: expected a list of folders" },
    { "folders: %[%.%]", "folders: []", "folders: expected a list of folders" },
    { "shape: %[1, 4, 5%]", "shape: [4, 5]", "shape: expected [C, H, W]" },
    { "shape: %[1, 4, 5%]", "shape: [1, 4, 0]", "shape: expected [C, H, W]" },
    { "shape: %[1, 4, 5%]", "shape: [5, 4, 5]", "C at most 4" },
    { "shape: %[1, 4, 5%]", "shape: [3, 4, 5]", "mean: expected a list of a number for each channel" },
    { "classes: %[a, b, c%]", "classes: [a]", "classes: expected a list of two or more names" },
    { "classes: %[a, b, c%]", "classes: 3", "classes: expected a list of two or more names" },
    { "train: 40", "train: -1", "train: expected a whole number above 0" },
    { "train: 40", "train: many", "train: expected a whole number above 0" },
    { "test: 12", "test: 1.5", "test: expected a whole number above 0" },
    { "mean: %[0.5%]", "mean: [.nan]", "mean: expected a list of a number" },
    { "std: %[0.25%]", "std: [0]", "std: expected a list of a number above 0 for each channel" },
    { "std: %[0.25%]", "std: [0.25]\nclass_weights: [1, 1]", "class_weights: expected a list of a number above 0" },
    { "  test_labels: {[^\n]*\n", "", "the key 'files.test_labels' is missing" },
    { "  test_labels: ", "  test_lables: ", "unknown key 'files.test_lables'; did you mean 'test_labels'?" },
    { "{ name: test%-labels }", "test-labels", "files.test_labels: expected { name: ..., sha256: ... }" },
    { "{ name: test%-labels }", "{ name: ../x }", "files.test_labels.name: expected the name of a file" },
    { "{ name: test%-labels }", "{ nam: x }", "unknown key 'files.test_labels.nam'; did you mean 'name'?" },
    { "{ name: test%-labels }", "{ name: x, sha256: abc }", "files.test_labels.sha256: expected 64 hexadecimal digits" },
    { "{ name: test%-labels }", "{ name: x, sha256: [" .. sum .. ", 1] }", "files.test_labels.sha256: expected 64" },
    { "{ name: test%-labels }", "{ name: x, md5: abc }", "files.test_labels.md5: expected 32 hexadecimal digits" },
    { "{ name: test%-labels }", "{ name: x, url: 'file:///x' }", "files.test_labels.url: expected an address" },
    { "{ name: test%-labels }", "{ name: x, url: 'http://a b' }", "files.test_labels.url: expected an address" },
    { "{ name: test%-labels }", "{ name: .. }", "files.test_labels.name: expected the name of a file" },
    { "about: a test", "about: a test\nlabel_bytes: 1", "label_bytes: expected 1 to 8, with the loader cifar" },
    { "about: a test", "about: a test\nvalidation: 0", "validation: expected a whole number above 0" },
    { "about: a test", "about: a test\nparts: { all: . }", "parts: expected the folders by part" },
    { "about: a test", "about: a test\narchives: [{ name: x, unpack: tar }]", "the key 'archives[1].url' is missing" },
    { "about: a test", "about: a test\narchives: [{ name: x, url: 'http://x', unpack: rar }]", "archives[1].unpack: expected tar" },
    { "about: a test", "about: a test\narchives: [x]", "archives[1]: expected { name: ..., url: ..., unpack: ... }" },
    { "std: %[0.25%]\n", "", "mean and std: expected both or neither" },
    { "loader: idx", "loader: cifar", "unknown key 'files.test_images'; there are" },
    { "loader: idx", "loader: folder", "files: expected" },
    { "{ name: test%-labels }", "[{ name: x }, y]", "files.test_labels: expected { name: ..., sha256: ... }, got string" },
  }
  for _, case in ipairs(cases) do
    lu.assertErrorMsgContains("/d/small.yaml:", manifest.parse, with(case[1], case[2]), "/d/small.yaml")
    lu.assertErrorMsgContains(case[3], manifest.parse, with(case[1], case[2]), "/d/small.yaml")
  end
  lu.assertErrorMsgContains("expected keys and values", manifest.parse, "- a", "/d/small.yaml")
  lu.assertErrorMsgContains("/d/small.yaml", manifest.parse, "", "/d/small.yaml")
end

function TestManifest:test_folders_in_order()
  ffi.C.setenv("EXEUNT_DATA", "/one:/two/", 1)
  ffi.C.setenv("XDG_DATA_HOME", "/xdg", 1)
  local m = manifest.parse(with("folders: %[%.%]", "folders: [x/y, /abs/, ~/home]"), "/d/small.yaml")
  lu.assertEquals(manifest.folders(m), { "/one/x/y", "/two//x/y", "/xdg/exeunt/x/y", "/d/x/y", "/abs", os.getenv "HOME" .. "/home" })
end

function TestManifest:test_locate()
  local path = dataset.make(self.folder)
  local m = manifest.find(path)
  local files, folder = manifest.locate(m)
  lu.assertEquals(folder, self.folder)
  lu.assertEquals(#files, 4)
  lu.assertEquals(files[1].path, self.folder .. "/train-images")
  file.remove(self.folder .. "/test-images")
  local none, why = manifest.locate(m)
  lu.assertNil(none)
  lu.assertStrContains(why, "data set 'small' is not here: " .. self.folder .. "/test-images is missing; to get it: make it")
  m.folders = { "/nowhere", "/never" }
  none, why = manifest.locate(m)
  lu.assertNil(none)
  lu.assertEquals(why, "data set 'small' is not here: no files in /nowhere, /never; to get it: make it again")
end

function TestManifest:test_the_first_candidate_and_folder_win()
  dataset.make(self.folder)
  file.make_folder(self.folder .. "/env/set")
  dataset.make(self.folder .. "/env/set")
  command.write(self.folder .. "/env/set/second", "x")
  local m = manifest.parse(with("{ name: test%-labels }", "[{ name: first }, { name: second }, { name: test-labels }]")
    :gsub("folders: %[%.%]", "folders: [set, .]"), self.folder .. "/small.yaml")
  lu.assertEquals(manifest.locate(m)[4].name, "test-labels")
  ffi.C.setenv("EXEUNT_DATA", self.folder .. "/env", 1)
  lu.assertEquals(manifest.locate(m)[4].path, self.folder .. "/env/set/second")
end

os.exit(lu.LuaUnit.run())
