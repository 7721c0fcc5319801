-- Databases: values and rows, transactions that happen whole or not at all.

local lu = require "luaunit"
local folder = dofile "tests/support/folder.lua"
local Database = require "exeunt.search.database"

TestDatabase = {}

function TestDatabase:setUp()
  self.folder = folder.make()
  self.db = Database.open(self.folder .. "/x.db")
  self.db:execute "CREATE TABLE t (a INTEGER, b TEXT)"
end

function TestDatabase:tearDown()
  if self.db.handle then self.db:close() end
  folder.remove(self.folder)
end

function TestDatabase:test_values_come_back()
  local db = self.db
  for _, value in ipairs { "text", "", "ä'\"\n", 0.1 + 0.2, -1e300, 5e-324, 2 ^ 53 - 1 } do
    local text = db:first("SELECT $1", value)
    lu.assertEquals(type(value) == "number" and tonumber(text) or text, value)
  end
  local a, b, c = db:first("SELECT $1, $2, $3", 1, nil, "z")
  lu.assertEquals({ a, b, c }, { "1", nil, "z" })
  lu.assertEquals(db:execute "SELECT 1 WHERE 1 = 0", { columns = 1 })
  lu.assertErrorMsgContains("a text with the character 0", db.execute, db, "SELECT $1", "a\0b")
  lu.assertErrorMsgContains("a table cannot be kept", db.execute, db, "SELECT $1", {})
end

function TestDatabase:test_transactions()
  local db = self.db
  lu.assertEquals({ db:transact(function(again)
    db:execute "INSERT INTO t VALUES (1, 'x')"
    return again, 7
  end) }, { false, 7 })
  lu.assertErrorMsgContains("no more", db.transact, db, function()
    db:execute "INSERT INTO t VALUES (2, 'y')"
    error("no more", 0)
  end)
  lu.assertErrorMsgContains("no such table", db.transact, db, function()
    db:execute "INSERT INTO t VALUES (3, 'z')"
    db:execute "INSERT INTO u VALUES (1)"
  end)
  lu.assertEquals(db:first "SELECT COUNT(*), SUM(a) FROM t", "1")
  db:transact(function() db:execute "INSERT INTO t VALUES (4, NULL)" end)       -- what failed has left nothing open
  lu.assertEquals(db:first "SELECT COUNT(*) FROM t", "2")
end

function TestDatabase.test_a_mistyped_server_is_no_file()
  lu.assertErrorMsgContains("no kind of store is called 'posgresql': expected a file or postgresql://...", Database.open, "posgresql://h/x")
end

function TestDatabase:test_closed()
  lu.assertEquals(tostring(self.db), "database " .. self.folder .. "/x.db")
  self.db:close()
  self.db:close()
  lu.assertErrorMsgContains("is closed", self.db.execute, self.db, "SELECT 1")
  lu.assertStrContains(tostring(self.db), "(closed)")
end

os.exit(lu.LuaUnit.run())
