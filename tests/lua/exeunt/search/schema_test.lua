-- The schema: made once, and brought up to date from an older version without losing anything.

local lu = require "luaunit"
local support = dofile "tests/support/search_store.lua"
local schema = require "exeunt.search.schema"
local Store = require "exeunt.search.store"

TestSchema = {}

function TestSchema:setUp() self.it, self.count = support.make(), 99 end

function TestSchema:tearDown()
  schema.migrations[self.count] = nil
  support.remove(self.it)
end

function TestSchema:test_an_older_store_is_brought_up_to_date()
  support.complete(self.it, 3)
  local before = self.it.store:export(self.it.id)
  self.it.store:close()
  self.count = #schema.migrations + 1
  schema.migrations[self.count] = { "ALTER TABLE studies ADD COLUMN colour TEXT", "UPDATE studies SET colour = 'green'" }
  self.it.store = Store.open(self.it.path)
  lu.assertEquals(schema.version(self.it.store.db), self.count)
  lu.assertEquals(self.it.store.db:first "SELECT colour FROM studies", "green")
  lu.assertEquals(self.it.store:export(self.it.id), before)
end

function TestSchema:test_a_migration_that_fails_changes_nothing()
  self.it.store:close()
  self.count = #schema.migrations + 1
  schema.migrations[self.count] = { "ALTER TABLE studies ADD COLUMN colour TEXT", "UPDATE nowhere SET colour = 'green'" }
  lu.assertErrorMsgContains("no such table: nowhere", Store.open, self.it.path)
  schema.migrations[self.count] = nil
  self.it.store = Store.open(self.it.path)
  lu.assertEquals(schema.version(self.it.store.db), self.count - 1)
  lu.assertErrorMsgContains("no such column", self.it.store.db.execute, self.it.store.db, "SELECT colour FROM studies")
end

os.exit(lu.LuaUnit.run())
