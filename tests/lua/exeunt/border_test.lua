-- The border: every function that core/exeunt.h declares is in the program, and the text that the program carries is the
-- file's. (The layouts of structs are compared in tests/core/vm/header_test.c.)

local lu = require "luaunit"
local core = require "exeunt.core"

TestBorder = {}

-- The names of the functions that the text declares.
local function declared(text)
  local names = {}
  text = text:gsub("/%*.-%*/", ""):gsub("#[^\n]*", ""):gsub("%b{}", "")
  for declaration in text:gmatch "[^;]+" do
    local name = not declaration:match "^%s*typedef" and declaration:match "([%w_]+)%s*%("
    if name then names[#names + 1] = name end
  end
  return names
end

function TestBorder.test_every_function_is_linked()
  local names, missing = declared(require "exeunt.header"), {}
  for _, name in ipairs(names) do
    if not pcall(function() return core.C[name] end) then missing[#missing + 1] = name end
  end
  lu.assertEquals(missing, {})
  lu.assertTrue(#names > 90, "only " .. #names .. " declarations were found")
end

function TestBorder.test_a_missing_function_would_be_noticed()
  core.ffi.cdef "void ex_no_such_function(void);"
  lu.assertFalse((pcall(function() return core.C.ex_no_such_function end)))
end

function TestBorder.test_the_text_is_the_file()
  local file = assert(io.open("core/exeunt.h", "r"))
  local text = file:read "*a"
  file:close()
  lu.assertTrue(text == require "exeunt.header")
end

function TestBorder.test_the_text_has_no_other_preprocessor_line()
  for line in (require "exeunt.header"):gmatch "[^\n]+" do
    if line:match "^%s*#" then lu.assertEquals(line, "#pragma once") end
  end
end

function TestBorder.test_no_64_bit_integer_crosses()
  local text = (require "exeunt.header"):gsub("/%*.-%*/", "")
  for _, word in ipairs { "int64_t", "uint64_t", "size_t", "ptrdiff_t", "%f[%w]long%f[%W]" } do
    lu.assertNil(text:match(word), word)
  end
end

os.exit(lu.LuaUnit.run())
