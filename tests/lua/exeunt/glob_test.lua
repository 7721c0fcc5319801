-- Patterns of names.

local lu = require "luaunit"

TestGlob = {}

local glob = require "exeunt.glob"

function TestGlob.test_matches()
  for _, case in ipairs {
    { "layer1.*", "layer1.0.conv1.weight", true }, { "layer1.*", "layer10.0.weight", false }, { "*.bias", "fc.bias", true },
    { "layer?.0.*", "layer2.0.x", true }, { "layer?.0.*", "layer22.0.x", false }, { "fc", "fc", true }, { "fc", "fc.weight", false },
    { "*", "anything.at.all", true }, { "a.b", "axb", false }, { "exits.1-%(x)*", "exits.1-%(x)y", true }, { "[ab]", "a", false },
    { "", "", true }, { "", "a", false },
  } do
    lu.assertEquals(glob.matches(case[1], case[2]), case[3], case[1] .. " on " .. case[2])
  end
end

os.exit(lu.LuaUnit.run())
