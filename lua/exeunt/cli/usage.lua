-- cli/usage.lua: how a command line goes wrong: errors with an exit code, the nearest known name, and parsers (argparse)
-- whose errors are one line. It prints nothing itself: cli/init.lua does.

local argparse = require "argparse"

local usage = {}

-- Ends the command with exit code 2 and one line.
function usage.fail(format, ...)
  error({ code = 2, message = format:format(...) }, 0)
end

-- Ends the command with exit code 0 and a text on standard output (--help).
function usage.done(text)
  error({ code = 0, text = text }, 0)
end

-- Edit distance of two short names; two neighbours swapped count once.
local function distance(a, b)
  local d = {}
  for i = 0, #a do d[i] = { [0] = i } end
  for j = 0, #b do d[0][j] = j end
  for i = 1, #a do
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local least = math.min(d[i - 1][j - 1] + cost, d[i - 1][j] + 1, d[i][j - 1] + 1)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        least = math.min(least, d[i - 2][j - 2] + 1)
      end
      d[i][j] = least
    end
  end
  return d[#a][#b]
end

-- ", did you mean 'run'?" for the nearest of `names`, or "" where none is near.
function usage.suggest(name, names)
  local best, least = nil, math.max(1, math.floor(#name / 2))
  for _, known in ipairs(names) do
    local d = distance(name, known)
    if d <= least and (not best or d < distance(name, best)) then best = known end
  end
  return best and (", did you mean '%s'?"):format(best) or ""
end

-- A parser for one command: --help ends with its text, --debug is known everywhere.
function usage.parser(name, about)
  local parser = argparse("exeunt " .. name, about):add_help(false)
  parser:flag "-h --help":description "Show this help.":action(function() usage.done(parser:get_help() .. "\n") end)
  parser:flag "--debug":description "Show a traceback when something fails."
  return parser
end

-- For an option's text: a whole number from low to high, else a message.
function usage.whole(option, low, high)
  return function(text)
    local number = text:match "^%d+$" and tonumber(text)
    if number and number >= low and number <= high then return number end
    return nil, ("%s must be a whole number from %.0f to %.0f, got '%s'"):format(option, low, high, text)
  end
end

-- The option --threads N, where a command computes.
function usage.threads(parser)
  parser:option("--threads", "Threads to compute with; the CPUs that this process may use if not given.", nil,
    usage.whole("--threads", 1, 1024))
end

-- parser:parse(args), with argparse's errors as one line.
function usage.parse(parser, args)
  local ok, result = parser:pparse(args)
  if ok then return result end
  local message = result:gsub("\nDid you mean one of these: ", ", did you mean one of: "):gsub("\nDid you mean ", ", did you mean ")
  usage.fail("%s", message)
end

return usage
