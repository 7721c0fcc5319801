-- sides.lua: who is measured: us, and those peers that are here, each with the commands that start its processes. A peer that
-- is missing is named once on standard error with the way to get it, and left out.

local core = require "exeunt.core"
local measure = require "measure"
local process = require "process"

local PROGRAM = os.getenv "EXEUNT" or "./exeunt"
local ORT = "build/ort"
local SEARCHES = "build/bench/asks"

local known                                 -- the peers, by name: below

local sides = { threads = tonumber(os.getenv "BENCH_THREADS") or core.C.ex_cpu_count() }

-- -- Commands ----------------------------------------------------------------------------------------------------------

local function words(...)
  local list = { ... }
  for i, w in ipairs(list) do list[i] = tostring(w) end
  return table.concat(list, " ")
end

local function script(...) return words(PROGRAM, "script", ...) end

sides.ours = {
  name = "exeunt",
  train = function(o) return script("bench/train.lua", o.net, o.heads, o.batch, o.threads, o.width) end,
  infer = function(o) return script("bench/infer.lua", o.net, o.batch, o.threads) end,
  decode = function(folder) return script("bench/decode.lua", folder) end,
  conv = function(direction, shape, threads) return script("bench/conv.lua", direction, table.concat(shape, " "), threads) end,
  start = PROGRAM .. " --version >/dev/null",
  search = function(sampler, seconds) return script("bench/asks.lua", sampler, SEARCHES, seconds) end,
}

-- `env` takes what would pin a peer's libraries to another CPU's kernels out of its environment.
local function with_threads(n, command)
  return ("env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OMP_NUM_THREADS=%d %s"):format(n, command)
end

-- -- PyTorch -----------------------------------------------------------------------------------------------------------

-- The fair peer takes the best kernels that this CPU can run.
local function tuned_mode()
  return core.ffi.string(core.C.ex_isa_available()):find "avx512" and "tuned512" or "tuned"
end

local function torch(name, mode, layout)
  local run = "bench/peers/ptenv.sh " .. mode
  return {
    name = name,
    train = function(o)
      return with_threads(o.threads, words(run, "bench/peers/pt_train.py", o.net, o.heads, o.batch, o.threads, o.width, layout))
    end,
    infer = function(o) return with_threads(o.threads, words(run, "bench/peers/pt_infer.py", o.net, o.batch, o.threads)) end,
    start = run .. " -c 'import torch'",
  }
end

local FIND = "/usr/bin/python3 -c 'import importlib.util as u; print(u.find_spec(\"%s\") is not None)' 2>/dev/null"

local function has_torch() return process.line_of(FIND:format "torch") == "True" end

-- -- torchvision: images of files -------------------------------------------------------------------------------------------

local IMAGES = "bench/peers/pt_images.py"

local function has_torchvision() return process.line_of(FIND:format "torchvision") == "True" end

local torchvision = {
  name = "torchvision",
  decode = function(folder) return with_threads(1, words("bench/peers/ptenv.sh default", IMAGES, folder)) end,
}

-- jpegs(count): a folder of as many JPEG files, made once; nil where there is nothing to make them with.
function sides.jpegs(count)
  local folder = "build/bench/jpegs"
  if not known.torchvision.has() then return nil end
  return os.execute(words("bench/peers/ptenv.sh default", IMAGES, "make", folder, count)) == 0 and folder or nil
end

-- -- Optuna -------------------------------------------------------------------------------------------------------------

local function has_optuna() return process.line_of(FIND:format "optuna") == "True" end

local optuna = {
  name = "optuna",
  search = function(sampler) return with_threads(1, words("/usr/bin/python3 bench/peers/search_asks.py", sampler, SEARCHES)) end,
}

-- -- ONNX Runtime, oneDNN ------------------------------------------------------------------------------------------------

local function exists(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

local GET_ORT = ("mkdir -p %s && cp bench/peers/ort/package.json %s && (cd %s && npm install --ignore-scripts)"):format(ORT, ORT, ORT)

-- Its networks are exported from the peers' models, once.
local function has_ort()
  if not exists(ORT .. "/node_modules/onnxruntime-node/package.json") then return false end
  local made = "bench/peers/ort/export.py"
  return exists(ORT .. "/mobilenetv2.json") or os.execute(words("bench/peers/ptenv.sh default", made, ORT, ">&2")) == 0
end

local ort = {
  name = "onnxruntime",
  infer = function(o) return with_threads(o.threads, words("node bench/peers/ort/infer.js", ORT, o.net, o.batch, o.threads)) end,
}

local DNNL = "build/bench/dnnl_conv"

local function has_dnnl()
  if not exists "/usr/include/oneapi/dnnl/dnnl.h" then return false end
  os.execute "mkdir -p build/bench"
  return exists(DNNL) or os.execute(words("gcc -O2 -o", DNNL, "bench/peers/dnnl_conv.c -ldnnl >&2")) == 0
end

local dnnl = {
  name = "onednn",
  conv = function(direction, shape, threads) return with_threads(threads, words(DNNL, direction, unpack(shape))) end,
}

-- -- Looking for them ----------------------------------------------------------------------------------------------------

known = {
  torchvision = { has = has_torchvision, get = "apt-get install python3-torchvision" },
  optuna = { has = has_optuna, get = "apt-get install python3-optuna" },
  torch = { has = has_torch, get = "apt-get install python3-torch" },
  ort = { has = has_ort, get = GET_ORT },
  dnnl = { has = has_dnnl, get = "apt-get install libdnnl-dev" },
}

local function here(name)
  local peer = known[name]
  if peer.found == nil then
    peer.found = peer.has()
    if not peer.found then measure.note("no %s: %s", name, peer.get) end
  end
  return peer.found
end

-- The peers of a kind of case, of those that are here. train/paper, infer/paper: of networks that PyTorch's side takes from torchvision.
function sides.peers(kind)
  local list = {}
  if kind:find "/paper$" and here "torch" and not here "torchvision" then return list end
  if kind == "search" then return here "optuna" and { optuna } or {} end
  if kind ~= "conv" and kind ~= "decode" and here "torch" then
    list[1] = torch(kind:find "^infer" and "pytorch-optimised" or "pytorch-tuned", tuned_mode(), "nhwc")
    if kind:find "^train" then list[2] = torch("pytorch-default", "default", "nchw") end
  end
  if kind == "infer" and here "torch" and here "ort" then list[#list + 1] = ort end
  if kind == "decode" then return here "torchvision" and { torchvision } or {} end
  if kind == "conv" and here "dnnl" then list[1] = dnnl end
  return list
end

-- study(workers): seconds of a search over eight small trainings, bench/workers.lua, with so many workers of one thread.
function sides.study(workers)
  local folder = "build/bench/workers"
  os.execute(words("rm -rf", folder))
  local begun = core.C.ex_clock()
  local status = os.execute(words(PROGRAM, "search bench/workers.lua --threads", workers, "--workers", workers, "--store",
                                  folder .. "/studies.db", "--runs", folder, ">/dev/null 2>&1"))
  if status ~= 0 then core.raise("bench: exeunt search bench/workers.lua failed") end
  return core.C.ex_clock() - begun
end

-- start(kind, peers, ...): the processes of all sides for a case, ours first, warm. Their `ready` lines must say the same
-- network: parameters and multiply-accumulates; for convolutions they say a kernel each.
function sides.start(kind, peers, ...)
  local list = {}
  for i, side in ipairs { sides.ours, unpack(peers) } do
    local p = process.start(side[kind](...))
    local hello = p:read() or ""
    if not hello:find "^ready" then core.raise("bench: %s did not start", side.name) end
    if kind ~= "conv" and i > 1 and hello ~= list[1].hello then
      core.raise("bench: not the same network: exeunt has %s, %s has %s (parameters, MACs)", list[1].hello:sub(7), side.name, hello:sub(7))
    end
    list[i] = { name = side.name, process = p, hello = hello }
  end
  return list
end

function sides.stop(list)
  for _, side in ipairs(list) do side.process:stop() end
end

return sides
