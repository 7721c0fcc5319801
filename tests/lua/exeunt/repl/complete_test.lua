-- repl/complete.lua: globals, fields, methods, and what loads itself on first use.

local lu = require "luaunit"
local complete = require "exeunt.repl.complete"

TestComplete = {}

local Class = { area = function() end, angle = 3, _hidden = 1 }
Class.__index = Class

local lazy = setmetatable({}, {
  __index = function(t, name)
    if name ~= "late" then error("no such thing: " .. name) end
    rawset(t, name, { lately = 1 })
    return rawget(t, name)
  end,
  __names = function() return { "late" } end,
})

local globals = {
  alpha = 1, albert = { einstein = { year = 1905, yonder = true } }, shape = setmetatable({ alone = 1 }, Class), lazy = lazy,
  text = "some text", ["not a name"] = 1,
}

local function words(word, ...)
  lu.assertEquals(complete.words(globals, word), { ... }, word)
end

function TestComplete.test_globals()
  words("al", "albert", "alpha")
  words("alp", "alpha")
  words("zz")
  words("whi", "while")
  words("not", "not")
end

function TestComplete.test_fields()
  words("albert.", "albert.einstein")
  words("albert.einstein.y", "albert.einstein.year", "albert.einstein.yonder")
  words("albert.nobody.y")
  words("alpha.x")
  words("alpha.x.y")
end

function TestComplete.test_methods()
  words("shape:a", "shape:area")
  words("shape.a", "shape.alone", "shape.angle", "shape.area")
  words("shape._h", "shape._hidden")
  words("text:up", "text:upper")
end

function TestComplete.test_what_loads_itself()
  words("lazy.l", "lazy.late")
  words("lazy.late.l", "lazy.late.lately")
  words("lazy.broken.l")
end

function TestComplete.test_words_that_lead_nowhere()
  for _, word in ipairs { ".", ":", "..", "a..b", ".x", "albert..e" } do
    lu.assertEquals(type(complete.words(globals, word)), "table")
  end
end

function TestComplete.test_the_engine()
  local ex = { ex = require "exeunt" }
  lu.assertEquals(complete.words(ex, "ex.tens"), { "ex.tensor" })
  lu.assertEquals(complete.words(ex, "ex.models.len"), { "ex.models.lenet" })
  local tensor = { t = ex.ex.tensor { 1, 2 } }
  lu.assertEquals(complete.words(tensor, "t:resh"), { "t:reshape" })
end

os.exit(lu.LuaUnit.run())
