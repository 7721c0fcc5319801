-- Studies as YAML: what is no map, and the lines that errors are about.
local lu = require "luaunit"
local file = require "exeunt.file"
local folder = dofile "tests/support/folder.lua"
local yaml = require "exeunt.yaml"
local yamlfile = require "exeunt.search.yamlfile"

TestYamlFile = {}

function TestYamlFile:setUp() self.path = folder.make() end
function TestYamlFile:tearDown() folder.remove(self.path) end

local TEXT = [[
recipe: a.lua
space:
  lr: { log: [1, 2] }
  k:
    choice: [a, b]
stop: { asha: { reduction: 1 } }
points:
  - { lr: 1 }
  - { lr: 9 }
]]

function TestYamlFile.test_lines()
  local doc, lines = yaml.load(TEXT, "s.yaml")
  local function line(message) return yamlfile.line(doc, lines, message) end
  lu.assertEquals(line "study: there is no recipe b.lua", 1)
  lu.assertEquals(line "space: lr: log: low must be above 0, got 0", 3)
  lu.assertEquals(line "space: k: choice: expected a list", 5)
  lu.assertEquals(line "stopper.asha: reduction must be a number from 2 on, got 1", 6)
  lu.assertEquals(line "study: points[2]: knob lr must be a number from 1 to 2, got 9", 9)
  lu.assertNil(line "study: how long? It needs trials = N")
end

-- Calls f with a file of that text; gives its error after the path.
function TestYamlFile:error_of(text, f)
  local path = self.path .. "/s.yaml"
  file.write(path, text)
  local ok, why = pcall(yamlfile.call, path, f or function(doc) return doc end)
  lu.assertFalse(ok)
  lu.assertEquals(why:sub(1, #path), path)
  return why:sub(#path + 1)
end

function TestYamlFile:test_what_is_no_study()
  local form = "expected a study (recipe: ..., space: ..., objective: ...)"
  for _, text in ipairs { "", "# nothing\n", "---\n", "null\n" } do
    lu.assertEquals(self:error_of(text), ": the file is empty: " .. form)
  end
  lu.assertEquals(self:error_of "- a\n", ":1: " .. form .. ", got a list")
  lu.assertEquals(self:error_of '"7"\n', ":1: " .. form .. ', got "7"')
  lu.assertStrContains(self:error_of "a: [\n", ":2:1: ")
end

function TestYamlFile:test_errors_get_the_file_and_the_line()
  local function fails(with) return function() error(with, 0) end end
  lu.assertEquals(self:error_of(TEXT, fails "space: k: no"), ":4: space: k: no")
  lu.assertEquals(self:error_of(TEXT, fails "something else"), ": something else")
  file.write(self.path .. "/s.yaml", TEXT)
  lu.assertEquals(yamlfile.call(self.path .. "/s.yaml", function(doc) return doc.recipe end), "a.lua")
  local usage = { code = 2 }
  lu.assertEquals(select(2, pcall(yamlfile.call, self.path .. "/s.yaml", fails(usage))), usage)
end

os.exit(lu.LuaUnit.run())
