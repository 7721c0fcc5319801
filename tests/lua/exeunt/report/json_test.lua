-- JSON: the same table gives the same text, numbers come back as they were, null and empty lists stay what they are.
local lu = require "luaunit"
local json = require "exeunt.report.json"

TestJson = {}

function TestJson:test_keys_are_sorted_and_those_asked_for_come_first()
  lu.assertEquals(json.encode { b = 1, a = true, c = "x" }, '{"a": true, "b": 1, "c": "x"}')
  lu.assertEquals(json.encode({ b = 1, a = true, c = "x" }, { "c", "b" }), '{"c": "x", "b": 1, "a": true}')
end

function TestJson:test_lists_and_objects_without_entries()
  lu.assertEquals(json.encode { list = json.list(), object = {} }, '{"list": [], "object": {}}')
  lu.assertEquals(json.encode { 1, { 2 }, json.list {} }, "[1, [2], []]")
end

function TestJson:test_numbers_come_back_exactly()
  for _, x in ipairs { 0.1, 1 / 3, 2 / 3, 1e-300, 123456789.123, 2 ^ 53, -2 ^ 60, 5e-324, 0.30000000000000004 } do
    lu.assertIs(json.decode("[" .. json.number(x) .. "]")[1], x)
  end
  lu.assertEquals(json.number(0.1), "0.1")
  lu.assertEquals(json.number(420), "420")
end

function TestJson:test_what_is_no_number_is_null()
  lu.assertEquals(json.encode { 0 / 0, math.huge, -math.huge, json.null }, "[null, null, null, null]")
end

function TestJson:test_texts_are_escaped()
  lu.assertEquals(json.encode 'a"b\\c\nd\1', '"a\\"b\\\\c\\nd\\u0001"')
  lu.assertEquals(json.decode('[' .. json.encode 'a"b\\c\nd\1é' .. ']')[1], 'a"b\\c\nd\1é')
end

function TestJson:test_refusals_name_the_place()
  lu.assertErrorMsgContains("doc.f: a function", json.encode, { f = print }, nil, "doc")
  lu.assertErrorMsgContains("value: the key 2", json.encode, { [2] = 1, a = 3 })
  lu.assertErrorMsgContains("not JSON", json.decode, "{")
end

function TestJson:test_plain_forgets_nulls()
  lu.assertEquals(json.plain { a = json.null, b = { json.null and 1, 2 } }, { b = { 1, 2 } })
end

function TestJson:test_checked_takes_what_comes_back()
  local state = { best = 0.5, seen = { 1, 2 }, names = { a = true } }
  lu.assertIs(json.checked(state, "state"), state)
  lu.assertErrorMsgContains("state.x: nan", json.checked, { x = 0 / 0 }, "state")
  lu.assertErrorMsgContains("state.f: a function", json.checked, { f = print }, "state")
  lu.assertErrorMsgContains("state.l: only lists", json.checked, { l = { 1, nil, 3 } }, "state")
  local loop = {}
  loop.loop = loop
  lu.assertErrorMsgContains("holds itself", json.checked, loop, "state")
end

os.exit(lu.LuaUnit.run())
