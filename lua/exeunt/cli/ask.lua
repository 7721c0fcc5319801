-- cli/ask.lua: `exeunt ask STUDY` prints a trial to run: its number and params. `exeunt tell` takes what came of it; a trial that
-- nobody tells of in time is given out again. Where the study has no more it ends with code 3, which no error has, and --json prints null.

local stored = require "exeunt.cli.stored"
local usage = require "exeunt.cli.usage"

local NO_MORE = 3                           -- exit code

local command = { about = "a point to try, for scripts in any language", usage = "STUDY" }

-- Refuses the path of a file that is not there, where no store is either that could have taken it.
local function check_path(study, address)
  local kind = require("exeunt.file").kind
  address = address or require("exeunt.search.store").default
  if kind(study) or not (study:find "/" or study:match "%.%a+$") or address:match "^postgres" or kind(address) then return end
  error(("there is no file %s"):format(study), 0)
end

-- That there are no more, and how many may still be told of.
local function no_more(running)
  local text = "the study has no more trials"
  if running == 0 then return text end
  local is, it = running == 1 and "is" or "are", running == 1 and "it" or "them"
  return ("%s; %d %s still running: exeunt trials lists %s, exeunt tell ends %s"):format(text, running, is, it, it)
end

function command.main(args)
  local p = usage.parser("ask", "Prints the next trial of a study: its number and params. Run it, then: exeunt tell STUDY NUMBER VALUE. "
    .. "Where there are no more it ends with code 3, and --json prints null; errors end with 1 or 2, and print nothing.")
  p:argument("study", "The study's name, or its file (Lua or YAML; YAML needs no recipe), which is taken into the store.")
  p:option("--worker", "Who asks; to be seen in `exeunt trials`.", "ask"):argname "NAME"
  p:option("--lease", "Seconds after which a trial is given out again; 86400 if not given.", "86400", function(text)
    local x = tonumber(text)
    if x and x > 0 and x < math.huge then return x end
    return nil, ("--lease must be a number above 0, got '%s'"):format(text)
  end):argname "SECONDS"
  stored.options(p)
  local given = usage.parse("ask", p, args)
  check_path(given.study, given.store)
  require("exeunt.output").keep_clean()
  local asked = require "exeunt.search.asked"
  local study = asked.read(given.study)     -- before a store is made
  local store = stored.open(given.store, study and "make" or "write")
  local trial, running = asked.ask(store, study or given.study, { worker = given.worker, lease = given.lease })
  store:close()
  if not trial then
    if given.json then stored.print(require("exeunt.report.json").null) end
    error({ code = NO_MORE, message = no_more(running) }, 0)
  end
  if given.json then return stored.print { number = trial.number, params = trial.params } end
  local lines = { ("number=%d\n"):format(trial.number) }
  for _, name in ipairs(require("exeunt.options").sorted_keys(trial.params)) do
    local x = stored.shown(trial.params[name])
    lines[#lines + 1] = ("%s=%s\n"):format(name, type(x) == "number" and require("exeunt.report.json").number(x) or tostring(x))
  end
  usage.write(io.stdout, table.concat(lines))
end

return command
