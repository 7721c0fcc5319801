-- mat.lua: MATLAB files of version 5 for tests: uint8 arrays, not compressed.

local mat = {}

local function word(n)
  return string.char(n % 256, math.floor(n / 256) % 256, math.floor(n / 65536) % 256, math.floor(n / 2 ^ 24) % 256)
end

local function element(kind, bytes)
  return word(kind) .. word(#bytes) .. bytes .. ("\0"):rep(-#bytes % 8)
end

-- array(name, dims, bytes): an element; the bytes run over the first axis fastest.
function mat.array(name, dims, bytes)
  local sizes = {}
  for i, n in ipairs(dims) do sizes[i] = word(n) end
  return element(14, element(6, word(9) .. word(0)) .. element(5, table.concat(sizes)) .. element(1, name) .. element(2, bytes))
end

-- file(element, ...): the text of a file.
function mat.file(...)
  return ("MATLAB 5.0 MAT-file"):rep(7):sub(1, 124) .. "\0\1IM" .. table.concat { ... }
end

return mat
