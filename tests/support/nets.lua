-- nets.lua: what tests of networks share: small networks, random images, a split of a data set that needs no files, and
-- tensors as plain numbers.

local ex = require "exeunt"
local folder = dofile "tests/support/folder.lua"

local nets = {}

-- normal(shape, stream): random numbers, always the same for one stream.
function nets.normal(shape, stream)
  return ex.tensor.normal(shape, 0, 1, { seed = 7, stream = stream })
end

-- bytes(shape, stream): uint8, always the same for one stream.
function nets.bytes(shape, stream)
  return ex.tensor.uniform(shape, 0, 255.99, { seed = 7, stream = stream }):clone "uint8"
end

-- Gives batch norms statistics and every bias and scale a number of its own, as training would.
function nets.stir(net)
  for _, v in ipairs(net.graph:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then
      local low = (v.name:find "running_var" or v.name:find "%.weight$") and 0.5 or -0.5
      if #v.shape == 1 then net.graph:tensor(v):uniform_(low, low + 1, { seed = 11, stream = v.name }) end
    end
  end
  return net
end

-- vgg(): three exits on a small VGG for images (2, 12, 12), 4 classes, its numbers stirred.
function nets.vgg(options)
  local o = { input = { 2, 12, 12 }, classes = 4, widths = { 4, 6, 8 }, depths = 1, seed = 3 }
  for k, v in pairs(options or {}) do o[k] = v end
  return nets.stir(ex.exits.anticipate(ex.models.vgg(o)))
end

-- flat(t): all elements in order, as a Lua list.
function nets.flat(t)
  local out = {}
  local function add(x)
    if type(x) ~= "table" then out[#out + 1] = x return end
    for _, y in ipairs(x) do add(y) end
  end
  add(t:to_list())
  return out
end

-- same(lu, a, b): the same shape and the same bits.
function nets.same(lu, a, b)
  lu.assertEquals(a.shape, b.shape)
  lu.assertEquals(nets.flat(a), nets.flat(b))
end

-- close(lu, a, b, share): the same shape, elements within this share of b's largest.
function nets.close(lu, a, b, share)
  lu.assertEquals(a.shape, b.shape)
  local x, y, margin = nets.flat(a), nets.flat(b), 0
  for _, v in ipairs(y) do margin = math.max(margin, share * math.abs(v)) end
  for i = 1, #x do lu.assertAlmostEquals(x[i], y[i], margin) end
end

-- split(images, labels): a split of a data set as evaluate sees it: images (N, C, H, W) float32, labels a list.
function nets.split(images, labels)
  local count, shape = images.shape[1], images.shape
  local y = ex.tensor(labels, "int32")
  return {
    images = images, labels = y, count = count,
    loader = function(_, o)
      local l = { images = ex.tensor.zeros { o.batch, shape[2], shape[3], shape[4] }, labels = ex.tensor.zeros({ o.batch }, "int32") }
      local at
      function l.start() at = 0 end
      function l.free() end
      function l.next()
        local n = math.min(o.batch, count - at)
        if n == 0 then return nil end
        l.images:narrow(0, 0, n):copy_(images:narrow(0, at, n))
        l.labels:narrow(0, 0, n):copy_(y:narrow(0, at, n))
        at = at + n
        return n
      end
      return l
    end,
  }
end

nets.folder, nets.clean = folder.make, folder.remove

-- tensors(net): its parameters and buffers by name.
function nets.tensors(net)
  local all = {}
  for _, v in ipairs(net.graph:values()) do
    if v.kind == "parameter" or v.kind == "buffer" then all[v.name] = net.graph:tensor(v) end
  end
  return all
end

-- read(path): the bytes of a file.
function nets.read(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read "*a"
  f:close()
  return text
end

-- message(f, ...): the text of the error that f raises; an error if it raises none.
function nets.message(f, ...)
  local ok, e = pcall(f, ...)
  if ok then error("no error was raised", 2) end
  return tostring(e)
end

return nets
