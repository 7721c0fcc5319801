-- search_store.lua: a store in a folder of its own for tests of searches, and processes that work on it.

local folder = dofile "tests/support/folder.lua"
local command = dofile "tests/support/command.lua"
local Store = require "exeunt.search.store"

local support = {}

-- make() -> { folder, path, store, id }: a new store with the study "s"; support.remove(it) at the end.
function support.make(document)
  local it = { folder = folder.make() }
  it.path = it.folder .. "/s.db"
  it.store = Store.open(it.path)
  it.id = it.store:create("s", document or { seed = 1 })
  return it
end

function support.remove(it)
  if it.store.db.handle then it.store:close() end
  folder.remove(it.folder)
end

-- complete(it, n): n finished trials, number i with x = i and the value i / 3.
function support.complete(it, n)
  for _ = 1, n do
    local trial = it.store:claim(it.id, { worker = "w" })
    it.store:propose(trial, { x = trial.number }, tostring(trial.number))
    it.store:finish(trial, { state = "complete", values = { trial.number / 3 } })
  end
end

-- script(it, text): writes a Lua file into the folder that sees `store`, `id` and `arg`; its path, quoted for a shell.
function support.script(it, text, address)
  local path = it.folder .. "/script.lua"
  command.write(path, ("local Store = require 'exeunt.search.store'\nlocal store = Store.open(%q)\nlocal id = %d\n"):format(
    address or it.path, it.id) .. text)
  return command.quote(path)
end

-- Loops until `limit` trials are there: claim, propose, report, finish. For support.script.
support.loop = [[
while true do
  local trial = store:claim(id, { worker = arg[1], limit = tonumber(arg[2]), lease = 600 })
  if not trial then break end
  if not trial.params then assert(store:propose(trial, { x = trial.number })) end
  assert(store:report(trial, 1, trial.number))
  assert(store:finish(trial, { state = "complete", values = { trial.number } }))
end
]]

-- What is wrong with n trials that should all be complete, each once; nil: nothing.
function support.fault(trials, n)
  if #trials ~= n then return ("%d trials, not %d"):format(#trials, n) end
  local finish = {}
  for i, trial in ipairs(trials) do
    if trial.number ~= i - 1 then return ("trial %d at place %d"):format(trial.number, i) end
    if trial.state ~= "complete" then return ("trial %d is %s: %s"):format(trial.number, trial.state, tostring(trial.error)) end
    if trial.params.x ~= trial.number or trial.values[1] ~= trial.number then
      return ("trial %d has another's data"):format(trial.number)
    end
    if finish[trial.finish] then return ("two trials finished as number %d"):format(trial.finish) end
    finish[trial.finish] = true
  end
  if #finish ~= n then return "finishes are not 1 to n" end
end

return support
