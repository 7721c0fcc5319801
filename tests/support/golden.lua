-- golden.lua: reads the golden cases of tests/golden (see generate.py for their form) and compares tensors with them.

local lu = require "luaunit"
local json = require "cjson"
local core = require "exeunt.core"
local ex = require "exeunt"
local C, ffi = core.C, core.ffi

local golden = {}

-- How far a result may be from PyTorch's float64 one, as max |a - b| / max |b|. Rounding to float32 alone is 6e-8. A sum of
-- K products strays by about sqrt(K) times that and at worst by K times; K is below 300 in all forward cases, and
-- instruction sets sum in different orders. Gradients of weights and statistics sum over images and pixels too, pass through
-- two operators, and rest on a batch's mean, itself a float32: of numbers around 200 it is off by 1e-5.
golden.FORWARD = 1e-5
golden.GRADIENT = 2e-5

-- open(name): the cases of tests/golden/NAME.safetensors, and get(key) -> tensor, which raises for an unknown key.
function golden.open(name)
  local path = "tests/golden/" .. name .. ".safetensors"
  local file = core.own(C.ex_safetensors_open(path), C.ex_safetensors_free)
  local index = {}
  for i = 0, C.ex_safetensors_count(file) - 1 do index[ffi.string(C.ex_safetensors_name(file, i))] = i end
  local cases = json.decode(ffi.string(C.ex_safetensors_metadata(file, "cases")))
  assert(#cases > 0, path .. " has no cases")
  return cases, function(key)
    local i = index[key] or core.raise("%s: no tensor %s", path, key)
    return ex.tensor.wrap(C.ex_safetensors_read(file, i))
  end
end

-- numbers(t): a pointer to the float32 numbers of t, which is dense, and how many there are.
local function numbers(t)
  local info = ffi.new "ex_tensor_info"
  C.ex_tensor_describe(t.handle, info)
  assert(info.dense == 1 and info.dtype == C.EX_FLOAT32)
  return ffi.cast("float *", info.data), tonumber(info.count)
end

-- distance(a, b): max |a - b| / max |b|, infinite where a number is missing or not finite.
function golden.distance(a, b)
  a, b = a:clone(), b:clone()               -- dense, and alive until the end
  local x, count = numbers(a)
  local y, expected = numbers(b)
  if count ~= expected then return math.huge end
  local worst, scale = 0, 0
  for i = 0, count - 1 do
    local d = math.abs(x[i] - y[i])
    if d ~= d then return math.huge end
    worst, scale = math.max(worst, d), math.max(scale, math.abs(y[i]))
  end
  return scale > 0 and worst / scale or worst
end

-- check(what, actual, expected, tolerance): same shape, and close.
function golden.check(what, actual, expected, tolerance)
  lu.assertEquals(actual.shape, expected.shape, what .. ": shape")
  local d = golden.distance(actual, expected)
  if not (d <= tolerance) then
    lu.fail(("%s: off by %.3g of the largest, allowed %.3g"):format(what, d, tolerance))
  end
end

-- tests(class, cases, run): a test method for each case, so that each is counted and named on its own.
function golden.tests(class, cases, run)
  for _, case in ipairs(cases) do
    class["test_" .. case.name] = function() run(case) end
  end
end

return golden
