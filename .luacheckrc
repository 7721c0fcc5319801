-- luacheck's settings: `make lint`.
std = "luajit"
max_line_length = 130
