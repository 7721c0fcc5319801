-- data/sums.lua: checksums of a data set's files: compared with what the manifest expects (sha256, else md5; where it has none,
-- nothing is compared), and joined into one that changes if any file does.

local core = require "exeunt.core"
local file = require "exeunt.file"

local sums = {}

-- expected(f) -> algorithm, list of sums that are right (empty: none is known). f: { sha256 = list, md5 = list }.
function sums.expected(f)
  if f.sha256 and #f.sha256 > 0 or not f.md5 then return "sha256", f.sha256 or {} end
  if #f.md5 > 0 then return "md5", f.md5 end
  return "sha256", {}
end

-- right(f, sum): whether a sum (by expected's algorithm) is one of those expected, or none is.
function sums.right(f, sum)
  local _, expected = sums.expected(f)
  for _, right in ipairs(expected) do if right == sum then return true end end
  return #expected == 0
end

-- check(what, f, path) -> the digest of a file, compared; what: begins the message.
function sums.check(what, f, path)
  local algorithm, expected = sums.expected(f)
  local sum = file.digest(path, algorithm)
  if not sums.right(f, sum) then
    core.raise("%s: %s is damaged or another file: its %s is %s, expected %s", what, path, algorithm, sum,
               table.concat(expected, " or "))
  end
  return sum
end

-- all(m, files): the digest of the digests of all files, each compared.
function sums.all(m, files)
  local list = {}
  for i, f in ipairs(files) do list[i] = sums.check(("data set '%s'"):format(m.name), f, f.path) end
  return file.digest_text(table.concat(list))
end

return sums
