-- cli/usage.lua: how a command line goes wrong: errors with an exit code, the nearest known name, and parsers (argparse)
-- whose errors are one line. It prints nothing itself: cli/init.lua does.

local usage = {}

-- Ends the command with exit code 2 and one line.
function usage.fail(format, ...)
  error({ code = 2, message = format:format(...) }, 0)
end

-- Ends the command with exit code 0 and a text on standard output (--help).
function usage.done(text)
  error({ code = 0, text = text }, 0)
end

-- "; did you mean 'run'?" for the nearest of `names`, or `otherwise` where none is near.
function usage.suggest(name, names, otherwise)
  local near = require("exeunt.options").nearest(name, names)
  return near and ("; did you mean '%s'?"):format(near) or otherwise or ""
end

-- A parser for one command, which knows --help and --debug.
function usage.parser(name, about)
  local parser = require "argparse"("exeunt " .. name, about):add_help(false)
  parser:flag "-h --help":description "Show this help."
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
    usage.whole("--threads", 1, 1024)):argname "N"
end

function usage.use_threads(n)
  if n then require("exeunt.plan").threads(n) end
end

-- The option --exact, where a command computes with networks.
function usage.exact(parser)
  parser:flag("--exact", "Convolve with the kernels of least rounding, never by Winograd's method, which is faster.")
end

function usage.use_exact(on)
  if on then require("exeunt.plan").exact(true) end
end

-- Writes a result; a full disk or a closed pipe is an error.
function usage.write(stream, text)
  local ok, message = stream:write(text)
  if ok then ok, message = stream:flush() end
  if not ok then error("cannot write the result: " .. tostring(message), 0) end
end

-- The arguments with "--option -1" as "--option=-1": a number is not an option.
local function join_numbers(args)
  local joined = {}
  for _, arg in ipairs(args) do
    local before = joined[#joined]
    if arg:match "^%-%d" and before and before:match "^%-%-[%w-]+$" then joined[#joined] = before .. "=" .. arg
    else joined[#joined + 1] = arg end
  end
  return joined
end

-- The options that a parser knows: by name, whether it takes a value.
local function known_options(parser)
  local known = {}
  for _, option in ipairs(parser._options) do
    for _, alias in ipairs(option._aliases) do known[alias] = option._maxargs > 0 end
  end
  return known
end

-- numbers_last(parser, args): the arguments with options first, then "--" and the others, so that numbers below 0 are none of the
-- options; options are found after a "--" of the user's too.
function usage.numbers_last(parser, args)
  local known, before, after, wants, ended = known_options(parser), {}, {}, false, false
  for _, arg in ipairs(args) do
    local option = arg:match "^(%-%-?[%a][%w-]*)"
    if wants then before[#before], wants = before[#before] .. "=" .. arg, false
    elseif arg == "--" and not ended then ended = true
    elseif option and known[option] ~= nil then
      before[#before + 1], wants = arg, known[option] and not arg:find("=", 1, true)
    elseif arg:match "^%-[^%d.]" and not tonumber(arg) and not ended then before[#before + 1] = arg          -- unknown: the parser says so
    else after[#after + 1] = arg end
  end
  before[#before + 1] = "--"
  for _, arg in ipairs(after) do before[#before + 1] = arg end
  return before
end

-- Whether knob=value may follow.
local function takes_knobs(parser)
  for _, argument in ipairs(parser._arguments) do
    if argument._name == "knobs" then return true end
  end
  return false
end

-- parser:parse(args) for the command `name`, with argparse's errors as one line; --help ends with the parser's text.
function usage.parse(name, parser, args)
  for _, arg in ipairs(args) do
    if arg == "--help" or arg == "-h" then usage.done(parser:get_help() .. "\n") end
  end
  local ok, result = parser:pparse(join_numbers(args))
  if ok then return result end
  local message = result:gsub("\nDid you mean one of these: ", "; did you mean one of: ")
  message = message:gsub("\nDid you mean ", "; did you mean ")
  local dashed = message:match "^unknown option '%-%-([%a_][%w_]*)[^;]*$"
  if dashed and takes_knobs(parser) then message = ("%s; a knob is set without dashes: %s=VALUE"):format(message, dashed) end
  usage.fail("%s: %s", name, message)
end

return usage
