-- glob.lua: name patterns as a shell has them: `*` stands for any characters (dots too), `?` for one; all else is itself.
-- "layer1.*" takes everything below layer1, "*.bias" every bias. It knows nothing of what the names mean.

local glob = {}

-- matcher(pattern): function(name) -> boolean.
function glob.matcher(pattern)
  local lua = "^" .. pattern:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
  return function(name) return name:find(lua) ~= nil end
end

-- matches(pattern, name): for a single question.
function glob.matches(pattern, name)
  return glob.matcher(pattern)(name)
end

return glob
