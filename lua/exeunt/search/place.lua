-- search/place.lua: where a study's runs go: RUNS/NAME. A study of the same name in another store, or one that was deleted, may have
-- its runs there: so the folder says whose it is, in a file .study, and beside a foreign one it is called RUNS/NAME-2, ... Whoever
-- comes first has it, as has whoever finds one without the file, as earlier versions left it. It removes nothing.

local child = require "exeunt.child"
local core = require "exeunt.core"
local file = require "exeunt.file"

local place = {}

local PATIENCE = 1                          -- seconds in which a file that another has just made gets its text

-- What the file says of a study: no other study, in whatever store, says the same.
local function name_of(store, study) return ("%s %d %.17g\n"):format(store:identity(), study.id, study.created) end

-- Writes the file, unless there is one -> whose the folder is. One without text is a killed process's.
local function owner(path, mine)
  local handle, why = io.open(path, "wx")   -- made by nobody else
  if handle then
    local ok = handle:write(mine)
    if handle:close() and ok then return mine end
    core.raise("cannot write %s: is the disk full?", path)
  end
  if not file.kind(path) then core.raise("cannot write %s", why) end
  local until_then = core.C.ex_clock() + PATIENCE
  repeat
    local text = file.read(path)
    if text:match "\n$" then return text end
    child.sleep(0.02)
  until core.C.ex_clock() > until_then
  file.write(path, mine)
  return mine
end

-- folder(runs, store, id) -> the folder of the runs of the study with this id, made if need be; and whether another study has the
-- one that has its name.
function place.folder(runs, store, id)
  local study = store:study_by_id(id)
  local mine, n = name_of(store, study), 1
  while true do
    local folder = n == 1 and ("%s/%s"):format(runs, study.name) or ("%s/%s-%d"):format(runs, study.name, n)
    local kind = file.kind(folder)
    if kind ~= "file" and not file.kind(folder .. "/run.json") then         -- a run may be called so
      file.make_folder(folder)
      if owner(folder .. "/.study", mine) == mine then return folder, n > 1 end
    end
    n = n + 1
  end
end

return place
