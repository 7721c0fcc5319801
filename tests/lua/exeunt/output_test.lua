-- What is printed goes to standard error while standard output is kept clean.
local lu = require "luaunit"
local command = dofile "tests/support/command.lua"

TestOutput = {}

function TestOutput.test_print_and_write()
  local folder = command.folder()
  command.write(folder .. "/a.lua", [[
local output = require "exeunt.output"
local ok, a, b = output.clean(function(x)
  print(x, nil)
  io.write "w"
  return x, 2
end, 1)
print(ok, a, b)
print((select(2, output.clean(error, "no", 0))))
output.keep_clean()
print "p"
io.stdout:write "s"
]])
  local r = command.run("script " .. command.quote(folder .. "/a.lua"))
  command.remove(folder)
  lu.assertEquals({ r.code, r.out, r.err }, { 0, "true\t1\t2\nno\ns", "1\tnil\nwp\n" })
end

os.exit(lu.LuaUnit.run())
