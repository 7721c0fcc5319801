-- The YAML reader (core/vm/yaml.c): the core schema, collections, and everything that it refuses, with positions.

local lu = require "luaunit"
local yaml = require "exeunt.yaml"

TestYaml = {}

local function scalar(text) return yaml.load("v: " .. text .. "\n", "t").v end

function TestYaml.test_core_schema()
  for text, value in pairs {
    ["null"] = yaml.null, ["~"] = yaml.null, [""] = yaml.null, ["true"] = true, ["False"] = false,
    ["12"] = 12, ["-3"] = -3, ["+4"] = 4, ["007"] = 7, ["0o17"] = 15, ["0xff"] = 255,
    ["1.5"] = 1.5, [".5"] = 0.5, ["1."] = 1, ["1e3"] = 1000, ["-2.5E-1"] = -0.25, [".inf"] = math.huge, ["-.inf"] = -math.huge,
    ["yes"] = "yes", ["on"] = "on", ["1_000"] = "1_000", ["1e"] = "1e", ["."] = ".", ["0x"] = "0x", ["12 a"] = "12 a",
    ["nullx"] = "nullx",
    ["'12'"] = "12", ['"true"'] = "true", ["''"] = "", ["!!str 12"] = "12", ["été"] = "été",
  } do
    lu.assertEquals(scalar(text), value, text)
  end
  local nan = scalar ".nan"
  lu.assertTrue(nan ~= nan)
end

function TestYaml.test_collections()
  local value = yaml.load([[
# a manifest
name: fashion-mnist
shape: [1, 28, 28]
files:
  - {path: a.gz, sha256: 'ab'}
  - path: b.gz
    note: |
      two
      lines
empty: []
none: {}
1: one
]], "t")
  lu.assertEquals(value, {
    name = "fashion-mnist", shape = { 1, 28, 28 }, empty = {}, none = {}, [1] = "one",
    files = { { path = "a.gz", sha256 = "ab" }, { path = "b.gz", note = "two\nlines\n" } },
  })
  lu.assertEquals(yaml.load("", "t"), yaml.null)
  lu.assertEquals(yaml.load("- a\n- \n- b", "t"), { "a", yaml.null, "b" })
  lu.assertEquals(yaml.load("plain words", "t"), "plain words")
end

function TestYaml.test_null_is_that_of_json()
  lu.assertEquals(yaml.null, require("cjson").null)
end

local function refused(text, message)
  local ok, err = pcall(yaml.load, text, "file.yaml")
  lu.assertFalse(ok, text:sub(1, 40))
  lu.assertStrContains(err, message)
end

function TestYaml.test_refusals_say_where()
  refused("a: 1\nb: &x 2\n", "file.yaml:2:4: anchors are not allowed here")
  refused("a: 1\nb: *x\n", "file.yaml:2:4: aliases are not allowed here")
  refused("*x : 1\n", "file.yaml:1:1: aliases are not allowed here")
  refused("a: 1\nb: 2\na: 3\n", "file.yaml:3:1: key a is here twice")
  refused("1: a\n1: b\n", "file.yaml:2:1: key 1 is here twice")
  refused("[1]: a\n", "a key must be a string or an integer")
  refused("1.5: a\n", "file.yaml:1:1: a key must be a string or an integer")
  refused("true: a\n", "file.yaml:1:1: a key must be a string or an integer")
  refused("a: !!int '3'\n", "file.yaml:1:4: tags are not allowed here")
  refused("a: !mine {}\n", "file.yaml:1:4: tags are not allowed here")
  refused("a: 1\n---\nb: 2\n", "file.yaml:2:1: a second document is not allowed")
  refused("a: 9007199254740993000\n", "file.yaml:1:4: integer is too large")
  refused("a: 0xffffffffffffffffffff\n", "file.yaml:1:4: integer is too large")
  refused("a: [1, 2\nb: 3\n", "file.yaml:2:")
  refused("a:\n\t- 1\n", "file.yaml:2:1: ")
  refused("a: \0\n", "file.yaml: byte 4: control characters are not allowed")
  refused("a: \255\n", "file.yaml: byte 4: ")
end

function TestYaml.test_limits()
  local deep = ("["):rep(60) .. ("]"):rep(60)
  lu.assertEquals(#yaml.load(deep, "t"), 1)
  refused(("["):rep(65) .. ("]"):rep(65), "file.yaml:1:65: nested too deeply")
  refused(("["):rep(100000), "file.yaml:1:65: nested too deeply")
  refused(("x"):rep(16 * 2 ^ 20 + 1), "file.yaml: larger than 16777216 bytes")
end

function TestYaml.test_a_tab_is_named()
  lu.assertErrorMsgEquals("s:2:1: a tab: YAML indents by spaces", yaml.load, "a:\n\tb: 1\n", "s")
  lu.assertErrorMsgEquals("s:3:1: a tab: YAML indents by spaces", yaml.load, "# été €\na:\n\tb: 1\n", "s")
  lu.assertErrorMsgEquals("s:2:1: found character that cannot start any token", yaml.load, "# é\té\n@b: 1\n", "s")
end

function TestYaml.test_lines_of_keys()
  local doc, lines = yaml.load("a: 1\nb:\n  c: [1,\n 2]\n  5: {x: 1}\n", "s")
  lu.assertEquals({ lines[doc], lines[doc.b], lines[doc.b.c], lines[doc.b[5]] },
                  { { a = 1, b = 2 }, { c = 3, [5] = 5 }, { 3, 4 }, { x = 5 } })
end

os.exit(lu.LuaUnit.run())
