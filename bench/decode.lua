-- decode.lua FOLDER: our side of the case decode: the images of FOLDER, class folders of JPEG files of 64x64 pixels, decoded by
-- worker processes on all CPUs into a cache file, which is removed before each time. Spoken to as serve.lua says.

package.path = "bench/?.lua;" .. package.path
local ex = require "exeunt"
local file = require "exeunt.file"
local serve = require "serve"

local folder = arg[1]

local function forget()
  for _, name in ipairs(file.list(folder)) do
    if name:find "^exeunt%-cache%-" then file.remove(folder .. "/" .. name) end
  end
end

local function block()
  forget()
  return ex.data.open(folder, { size = 64 })
end

local data = block()
serve(("ready %d images"):format(data.train.count + data.test.count), block)
forget()
