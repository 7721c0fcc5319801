-- dataset.lua: a small data set of IDX files with its manifest, for tests. 40 training and 12 test images of (1, 4, 5),
-- three classes; pixel p of image i is (7 i + p) mod 256, its label i mod 3.

local command = dofile "tests/support/command.lua"

local dataset = { train = 40, test = 12, shape = { 1, 4, 5 } }

local function long(n)
  return string.char(math.floor(n / 2 ^ 24) % 256, math.floor(n / 2 ^ 16) % 256, math.floor(n / 2 ^ 8) % 256, n % 256)
end

-- idx(dims, bytes): the text of an IDX file of unsigned bytes.
function dataset.idx(dims, bytes)
  local out = { "\0\0\8", string.char(#dims) }
  for _, n in ipairs(dims) do out[#out + 1] = long(n) end
  return table.concat(out) .. bytes
end

local function bytes(count, f)
  local out = {}
  for i = 0, count - 1 do out[i + 1] = string.char(f(i)) end
  return table.concat(out)
end

function dataset.images(count)
  return dataset.idx({ count, 4, 5 }, bytes(count * 20, function(k) return (7 * math.floor(k / 20) + k % 20) % 256 end))
end

function dataset.labels(count)
  return dataset.idx({ count }, bytes(count, function(i) return i % 3 end))
end

dataset.manifest = [[
name: small
about: a test
source: nowhere
get: make it again
loader: idx
folders: [.]
files:
  train_images: { name: train-images }
  train_labels: { name: train-labels }
  test_images: { name: test-images }
  test_labels: { name: test-labels }
shape: [1, 4, 5]
classes: [a, b, c]
train: 40
test: 12
mean: [0.5]
std: [0.25]
]]

-- make(folder) -> the path of its manifest.
function dataset.make(folder)
  for _, part in ipairs { "train", "test" } do
    command.write(("%s/%s-images"):format(folder, part), dataset.images(dataset[part]))
    command.write(("%s/%s-labels"):format(folder, part), dataset.labels(dataset[part]))
  end
  command.write(folder .. "/small.yaml", dataset.manifest)
  return folder .. "/small.yaml"
end

return dataset
