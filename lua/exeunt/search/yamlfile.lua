-- yamlfile.lua: a study that is written as YAML: its text as a table, and the line of it that an error is about. What lines say is
-- search/study.lua's and search/asked.lua's to judge. It refuses what is no map.
--
--   yamlfile.call("s.yaml", study.new)     an error of it becomes "s.yaml:4: study: space: lr: ..."

local core = require "exeunt.core"
local file = require "exeunt.file"
local options = require "exeunt.options"
local yaml = require "exeunt.yaml"

local yamlfile = {}

local words = { stopper = "stop" }          -- what messages call a key otherwise

-- line(doc, lines, message): the line of the innermost key that the message names on its way down from the top; nil: it names none.
function yamlfile.line(doc, lines, message)
  local at, line = doc, nil
  for place, word in message:gmatch "()([%w_]+)" do
    if type(at) ~= "table" then break end
    local key = message:sub(place - 1, place - 1) == "[" and tonumber(word) or words[word] or word
    if at[key] ~= nil then at, line = at[key], lines[at][key] end
  end
  return line
end

-- call(path, f): f(the file's table); an error of it gets the file and the line.
function yamlfile.call(path, f)
  local doc, lines = yaml.load(file.read(path), path)
  if doc == yaml.null then core.raise("%s: the file is empty: expected a study (recipe: ..., space: ..., objective: ...)", path) end
  if type(doc) ~= "table" or doc[1] ~= nil then
    core.raise("%s:1: expected a study (recipe: ..., space: ..., objective: ...), got %s", path,
               type(doc) == "table" and "a list" or options.shown(doc))
  end
  local ok, found = pcall(f, doc)
  if ok then return found end
  if type(found) ~= "string" then error(found, 0) end
  local line = yamlfile.line(doc, lines, found)
  error(("%s:%s %s"):format(path, line and line .. ":" or "", found), 0)
end

return yamlfile
