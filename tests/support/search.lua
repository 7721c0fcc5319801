-- search.lua: small searches for tests: a recipe that needs no data set, study files, and commands that run in the background.

local file = require "exeunt.file"
local folder = dofile "tests/support/folder.lua"
local json = require "exeunt.report.json"

local search = {}

local program = os.getenv "EXEUNT" or "./exeunt"

-- A recipe that reports steps of x^2 + y and returns what is left of it; `fault` makes it go wrong.
search.RECIPE = [[
local ex = require "exeunt"
return ex.recipe {
  about = "a bowl", knobs = { x = 1, y = 0, kind = "plain", steps = 3, fault = "", list = { 1, 2 } },
  run = function(k)
    local value = k.x ^ 2 + k.y
    for step = 1, k.steps do ex.report { step = step, loss = value + 1 / step } end
    if k.fault == "error" then error "a fault of the recipe" end
    if k.fault == "bytes" then
      error("\0 \1\t\195 \195\188 \195\188\188 \226\130\172 \237\160\128 \240\159\152\128 \255 \192\128 \233t\233", 0)
    end
    if k.fault == "kill" then os.execute "kill -9 $PPID" end
    if k.fault == "nan" then return { loss = 0 / 0 } end
    if k.fault == "inf" then return { loss = 1 / 0 } end
    if k.fault == "exit" then print "nearly there"; os.exit(3) end
    if k.fault == "none" then return { other = 1 } end
    while k.fault == "hang" do end
    if k.fault == "deaf" then os.execute "sleep 3" end                          -- no signal ends it before that
    while k.fault == "slow" do os.execute "sleep 0.05"; ex.report { step = k.steps, loss = value } end
    return { loss = value, size = math.abs(k.x) }
  end,
}
]]

-- place(): a new folder with the recipe in it.
function search.place(recipe)
  local path = folder.make()
  file.write(path .. "/bowl.lua", recipe or search.RECIPE)
  return path
end

search.remove = folder.remove

-- study(path, text): a study file, `text` being what ex.study gets beside recipe, space and objective.
function search.study(path, text, space)
  file.write(path .. "/study.lua", ([[
local ex = require "exeunt"
return ex.study { recipe = "bowl.lua", space = %s, objective = { minimize = "loss" }, %s }
]]):format(space or "{ x = ex.uniform(-2, 2) }", text))
end

-- line(path, arguments, what): the shell's line for `exeunt search study.lua` there, or for `exeunt WHAT`.
function search.line(path, arguments, what)
  local p = program:sub(1, 1) == "/" and program or (require("exeunt.system").folder() .. "/" .. program)
  return ("cd '%s' && %s '%s' %s"):format(path, "exec", p,
    what or ("search study.lua --grace 1 " .. (arguments or "")))
end

-- run(path, arguments): the search, to its end: exit code, standard output, standard error.
function search.run(path, arguments, what)
  local status = os.execute(("( %s ) >'%s/stdout' 2>'%s/stderr'"):format(search.line(path, arguments, what), path, path))
  return math.floor(status / 256), file.read(path .. "/stdout"), file.read(path .. "/stderr")
end

-- begin(path, arguments): the search in the background (child.lua).
function search.begin(path, arguments, what)
  return require("exeunt.child").start { argv = { "/bin/sh", "-c", search.line(path, arguments, what) }, out = path .. "/stdout",
                                         err = path .. "/stderr" }
end

-- trials(path): what the store holds of the study.
function search.trials(path, name)
  local store = require("exeunt.search.store").open(path .. "/runs/studies.db")
  local record = store:study(name or "study")
  local list = record and store:trials(record.id) or {}
  store:close()
  return list
end

-- document(path): of `exeunt search --json`.
function search.document(path) return json.decode(file.read(path .. "/stdout")) end

return search
