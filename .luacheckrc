-- luacheck's settings: `make lint`.
std = "luajit"
max_line_length = 140
ignore = { "581" }                          -- not (x <= y) is meant: it is true of a NaN
files["tests"] = {
  self = false,
  globals = {},
  allow_defined_top = true,                 -- LuaUnit finds test classes as globals
}
