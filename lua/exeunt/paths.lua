-- paths.lua: where things lie: the engine's own files (beside the program, or in share/exeunt when installed) and the
-- user's state. Gives names only; it makes and reads nothing.

local system = require "exeunt.system"

local paths = {
  root = system.root,                       -- holds lua/, datasets/ and recipes/
  lua = system.root .. "/lua",
  datasets = system.root .. "/datasets",
  recipes = system.root .. "/recipes",
}

-- The user's folder for what is kept between runs (the prompt's history), or nil where there is no home.
function paths.state()
  local xdg, home = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  if xdg and xdg:sub(1, 1) == "/" then return xdg .. "/exeunt" end
  if home and home ~= "" then return home .. "/.local/state/exeunt" end
  return nil
end

-- A path made absolute against the current folder.
function paths.absolute(path)
  if path:sub(1, 1) == "/" then return path end
  return (system.folder() or ".") .. "/" .. path
end

return paths
