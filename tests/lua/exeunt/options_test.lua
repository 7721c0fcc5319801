-- options_test.lua: named options: filled, refused, suggested.

local lu = require "luaunit"
local options = require "exeunt.options"

TestOptions = {}

local known = { out = options.required, stride = 1, bias = true, widths = { 32, 64 }, name = options.optional }

function TestOptions.test_defaults_are_filled_in()
  local o = options.check("nn.conv2d", { out = 8 }, known)
  lu.assertEquals(o, { out = 8, stride = 1, bias = true, widths = { 32, 64 } })
end

function TestOptions.test_what_is_given_wins_even_false_and_zero()
  local o = options.check("nn.conv2d", { out = 0, bias = false, widths = { 1 }, name = "x" }, known)
  lu.assertEquals(o, { out = 0, stride = 1, bias = false, widths = { 1 }, name = "x" })
end

function TestOptions.test_default_lists_are_copied()
  options.check("nn.conv2d", { out = 1 }, known).widths[1] = 999
  lu.assertEquals(options.check("nn.conv2d", { out = 1 }, known).widths, { 32, 64 })
end

function TestOptions.test_objects_as_defaults_are_not_copied()
  local object = setmetatable({}, { __index = {} })
  lu.assertIs(options.check("f", {}, { x = object }).x, object)
end

function TestOptions.test_the_given_table_is_not_changed()
  local given = { out = 1 }
  options.check("nn.conv2d", given, known)
  lu.assertEquals(given, { out = 1 })
end

function TestOptions.test_nothing_given()
  lu.assertEquals(options.check("f", nil, { a = 1 }), { a = 1 })
  lu.assertErrorMsgEquals("f: option 'out' is missing", options.check, "f", nil, { out = options.required })
end

function TestOptions.test_unknown_options_suggest_the_nearest()
  lu.assertErrorMsgEquals("nn.conv2d: unknown option 'strid'; did you mean 'stride'?", options.check, "nn.conv2d",
    { out = 1, strid = 2 }, known)
  lu.assertErrorMsgEquals("nn.conv2d: unknown option 'colour'; there are bias, name, out, stride and widths", options.check,
    "nn.conv2d", { out = 1, colour = 2 }, known)
  lu.assertErrorMsgEquals("f: unknown option 'x'; there are none", options.check, "f", { x = 1 }, {})
  lu.assertErrorMsgEquals("f: unknown option 'x'; there is only patience", options.check, "f", { x = 1 }, { patience = 1 })
end

function TestOptions.test_values_without_a_name_are_refused()
  lu.assertErrorMsgEquals("f: options are named (name = value), got a value without a name at place 1", options.check, "f",
    { 3 }, { a = 1 })
end

function TestOptions.test_what_is_no_table_is_refused()
  lu.assertErrorMsgEquals("f: expected a table of options, got number", options.check, "f", 3, { a = 1 })
  lu.assertErrorMsgEquals("f: expected a table of options, got boolean", options.check, "f", false, { a = 1 })
end

function TestOptions.test_a_module_has_no_other_names()
  local m = options.module("ex.m", setmetatable({ conv = 1, norm = 2 }, { __call = function() return 3 end }), { Conv2d = "conv" })
  lu.assertEquals({ m.conv, m(), m.__names, rawget(m, "cnov"), m[1] }, { 1, 3 })
  local function read(name) return m[name] end
  lu.assertErrorMsgEquals("ex.m has no 'cnov'; did you mean 'conv'?", read, "cnov")
  lu.assertErrorMsgEquals("ex.m has no 'Conv2d'; did you mean 'conv'?", read, "Conv2d")
  lu.assertErrorMsgEquals("ex.m has no 'attention'; there are conv and norm", read, "attention")
end

function TestOptions.test_nearest()
  lu.assertEquals(options.nearest("epoch", { "batch", "epochs" }), "epochs")
  lu.assertNil(options.nearest("epoch", { "batch", "lr" }))
  lu.assertNil(options.nearest("epoch", {}))
end

function TestOptions.test_guide_suggests_what_is_near_and_lets_the_rest_be_absent()
  local class = { forward = print, keep = print }
  local thing = setmetatable({ own = 1 }, { __index = options.guide("a net", class, { call = "forward" }) })
  local function message(f) return select(2, pcall(f)) end
  lu.assertEquals({ thing.own, thing.keep, thing.color, thing[1] }, { 1, print, nil, nil })
  lu.assertEquals(message(function() return thing.forwrd end), "a net has no 'forwrd'; did you mean 'forward'?")
  lu.assertEquals(message(function() return thing.call end), "a net has no 'call'; did you mean 'forward'?")
end

os.exit(lu.LuaUnit.run())
