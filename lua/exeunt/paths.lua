-- paths.lua: where things lie: the engine's own files (beside the program, or in share/exeunt when installed) and the
-- user's state. Gives names only; it makes and reads nothing.

local system = require "exeunt.system"

local paths = {
  root = system.root,                       -- holds lua/, datasets/ and recipes/
  lua = system.root .. "/lua",
  datasets = system.root .. "/datasets",
  recipes = system.root .. "/recipes",
}

-- A folder of the user's by the XDG rules: the variable, else a folder below the home; nil where there is neither.
local function of_user(variable, below)
  local xdg, home = os.getenv(variable), os.getenv "HOME"
  if xdg and xdg:sub(1, 1) == "/" then return xdg .. "/exeunt" end
  if home and home ~= "" then return home .. below .. "/exeunt" end
  return nil
end

-- For what is kept between runs (the prompt's history), for data sets, and for what can be made again; each may be nil.
function paths.state() return of_user("XDG_STATE_HOME", "/.local/state") end
function paths.data() return of_user("XDG_DATA_HOME", "/.local/share") end
function paths.cache() return of_user("XDG_CACHE_HOME", "/.cache") end

-- A path made absolute against the current folder.
function paths.absolute(path)
  if path:sub(1, 1) == "/" then return path end
  return (system.folder() or ".") .. "/" .. path
end

return paths
