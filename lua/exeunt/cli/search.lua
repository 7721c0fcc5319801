-- cli/search.lua: `exeunt search STUDY`: reads the command line; the search is lua/exeunt/search/supervisor.lua's.

local usage = require "exeunt.cli.usage"

local command = { about = "search over a recipe's knobs, as a study says", usage = "STUDY [--workers N]" }

-- For an option's text: a number above 0.
local function positive(option)
  return function(text)
    local x = tonumber(text)
    if x and x > 0 and x < math.huge then return x end
    return nil, ("%s must be a number above 0, got '%s'"):format(option, text)
  end
end

-- Options that searches and workers share.
function command.options(p)
  usage.threads(p)
  p:option("--runs", "Where the trials' runs go, in a folder with the study's name; runs if not given."):argname "DIR"
  p:option("--trials", "At most so many trials in all, whatever the study says.", nil, usage.whole("--trials", 1, 2 ^ 53)):argname "N"
  p:option("--lease", "Seconds after which the trial of a worker that is gone is another's; 30 if not given.", nil,
           positive "--lease"):argname "SECONDS"
  p:option("--grace", "Seconds that a run has to end after it was asked to (by SIGTERM, also past the study's trial_seconds) before "
           .. "SIGKILL ends it; 10 if not given.", nil, positive "--grace"):argname "SECONDS"
  p:flag("--changed", "Go on although the recipe has changed since the study was begun.")
end

command.default_store = "runs/studies.db"

local function parser()
  local p = usage.parser("search", "Searches over a recipe's knobs, as a study says. A search that was ended or killed goes on when it is "
                         .. "started again; two searches of one study share it.")
  p:argument("study", "The study's file, Lua or YAML.")
  p:option("--workers", "How many trials run at once, each in a process of its own; the cores are shared out.", nil,
           usage.whole("--workers", 1, 1024)):argname "N"
  p:option("--store", "Where the trials are kept: a file, or postgresql://...; runs/studies.db if not given."):argname "ADDRESS"
  command.options(p)
  p:flag("--json", "Print one JSON document instead of the report.")
  return p
end

function command.main(args)
  local given = usage.parse("search", parser(), args)
  require("exeunt.output").keep_clean()
  local study = require("exeunt.search.study").load(given.study)
  local supervisor = require "exeunt.search.supervisor"
  local signals = require "exeunt.signals"
  local address = given.store or command.default_store
  local store = require("exeunt.search.store").open(address)
  signals.install "step"
  local found = supervisor.run { study = study, store = store, address = address, workers = given.workers, threads = given.threads,
    runs = given.runs, lease = given.lease, grace = given.grace, trials = given.trials, changed = given.changed or false }
  store:close()
  if given.json then
    local json = require "exeunt.report.json"
    usage.write(io.stdout, json.encode(supervisor.document(study, found, store.name), supervisor.order) .. "\n")
  else
    usage.write(io.stdout, supervisor.text(study, found))
  end
  if found.stopped then
    error({ code = found.stopped == "SIGTERM" and 143 or 130,
            message = ("stopped by %s; the same command goes on"):format(found.stopped) }, 0)
  end
  for _, trial in ipairs(found.trials) do
    if trial.state ~= "failed" then return 0 end
  end
  error(#found.trials > 0 and "every trial failed; the last: " .. tostring(found.trials[#found.trials].error) or "no trial was run", 0)
end

return command
