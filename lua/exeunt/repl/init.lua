-- repl/init.lua: the prompt. Reads Lua, runs it, prints values; an error leaves the prompt alive. On a terminal it edits
-- lines, keeps a history and completes names; otherwise it reads standard input as a filter, without prompts.
--
--   repl.run{ interactive = boolean, debug = boolean } -> exit code

local chunk = require "exeunt.repl.chunk"
local show = require "exeunt.repl.show"
local signals = require "exeunt.signals"
local term = require "exeunt.report.term"

local repl = {}

-- -- Where lines come from ---------------------------------------------------------------------------------

-- A source has read(continued) -> line; nil at the end; nil, "SIGINT" where the line was given up; and add(line), close().
local function terminal_source()
  local line = require "exeunt.line"
  local paths = require "exeunt.paths"
  local complete = require "exeunt.repl.complete"
  local folder = paths.state()
  local core = require "exeunt.core"
  local made = folder and core.C.ex_folder_make(folder) == core.C.EX_OK
  local history = folder and folder .. "/history"
  if made then line.load(history) end
  line.complete(function(word) return complete.words(_G, word) end)
  return {
    read = function(continued) return line.read(continued and ">> " or "> ") end,
    add = function(text)                    -- kept at once: a closed terminal loses nothing
      line.add(text)
      if made then line.save(history) end
    end,
    close = function()
      if history and not (made and line.save(history)) then
        io.stderr:write("exeunt: the history could not be kept in ", history, "\n")
      end
    end,
  }
end

local function filter_source()
  return { read = function() return io.read "*l" end, add = function() end, close = function() end }
end

-- One whole chunk: text, function, is_expression; text, nil, message; or nil, reason at the end.
local function read_chunk(source)
  local text
  while true do
    local line, reason = source.read(text ~= nil)
    if not line then
      if reason or not text then return nil, reason or "end" end
      return text, nil, "the input ends inside a statement"
    end
    source.add(line)
    text = text and text .. "\n" .. line or line
    local f, kind = chunk.compile(text)
    if f then return text, f, kind end
    if kind ~= "incomplete" then return text, nil, kind end
  end
end

-- -- Running ------------------------------------------------------------------------------------------------

local function report(err, trace)
  signals.reset()
  local message = type(err) == "table" and err.message or require("exeunt.hint").of(tostring(err))
  io.stdout:flush()
  local progress = package.loaded["exeunt.report.progress"]
  if progress then progress.clear() end
  io.stderr:write(term.style("red", "error: ", 2), message, "\n")
  if trace then io.stderr:write(trace, "\n") end
end

local function print_results(is_expression, ok, ...)
  local n = select("#", ...)
  if ok and n > 0 and (is_expression or n > 1 or (...) ~= nil) then print(show.values(n, ...)) end
end

-- Runs one chunk; true unless it failed.
local function evaluate(f, is_expression, debug_wanted)
  local trace
  local function traced(err)
    if debug_wanted then trace = debug.traceback("", 2):sub(2) end
    return err
  end
  local function done(ok, ...)
    signals.reset()
    if not ok then
      report((...), trace)
      return false
    end
    local shown, err = pcall(print_results, is_expression, ok, ...)
    if not shown then report(err) end
    return shown
  end
  return done(xpcall(f, traced))
end

local function prepare_globals()
  local ex = require "exeunt"
  _G.ex = ex
  local help = require "exeunt.repl.help"
  _G.help = setmetatable({}, { __tostring = help.hint, __call = function(_, ...)
    for _, line in ipairs(help.lines(...)) do print(line) end
  end })
  local lazy = { nn = true, models = true, tensor = true }
  setmetatable(_G, { __index = function(globals, name)
    if lazy[name] then
      rawset(globals, name, ex[name])
      return rawget(globals, name)
    end
  end, __names = function() return { "nn", "models", "tensor" } end })
end

local LEAVE = { exit = true, quit = true, ["exit()"] = true, ["quit()"] = true }

-- The loop; gives "end" or the signal that ended it, and whether any chunk failed.
local function loop(source, options)
  local failed = false
  while true do
    local text, f, kind = read_chunk(source)
    if not text then
      local reason = f
      if reason ~= "SIGINT" or not options.interactive then return reason, failed end
    elseif LEAVE[text:match "^%s*(.-)%s*$"] then
      return "end", failed
    elseif not f then
      failed = true
      report(kind)
    elseif not evaluate(f, kind, options.debug) then
      failed = true
    end
  end
end

-- Runs the prompt to its end. Exit code: 0; 1 where a chunk of a filter failed; 143 when terminated.
function repl.run(options)
  prepare_globals()
  if options.interactive then
    signals.install "now"
    local core = require "exeunt.core"
    print(("exeunt %s. help() says how to begin; Ctrl-D leaves."):format(core.ffi.string(core.C.ex_version())))
  end
  local source = options.interactive and terminal_source() or filter_source()
  local reason, failed
  repeat                                    -- a signal may strike between two chunks
    local ok
    ok, reason, failed = pcall(loop, source, options)
    if not ok then report(reason) end
  until ok
  source.close()
  if reason == "SIGTERM" then return 143 end
  return failed and not options.interactive and 1 or 0
end

return repl
