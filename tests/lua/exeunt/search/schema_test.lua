-- The schema: made once, and brought up to date from an older version without losing anything.

local lu = require "luaunit"
local command = dofile "tests/support/command.lua"
local file = require "exeunt.file"
local support = dofile "tests/support/search_store.lua"
local schema = require "exeunt.search.schema"
local Database = require "exeunt.search.database"
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

-- Whoever only looks into an older store leaves it as it is, and those who work on it with an earlier program undisturbed.
function TestSchema:test_an_older_store_that_is_only_read()
  support.complete(self.it, 2)
  local before = self.it.store:export(self.it.id)
  self.it.store:close()
  self.count = #schema.migrations + 1
  schema.migrations[self.count] = { "ALTER TABLE studies ADD COLUMN colour TEXT" }
  self.it.store = Store.open(self.it.path, { read = true })
  lu.assertEquals(schema.version(self.it.store.db), self.count - 1)
  lu.assertEquals(self.it.store:export(self.it.id), before)
  lu.assertEquals({ self.it.store:studies()[1].name, #self.it.store:trials(self.it.id) }, { "s", 2 })
  self.it.store:close()
  schema.readable = self.count
  local ok, message = pcall(Store.open, self.it.path, { read = true })
  schema.readable = 1
  lu.assertEquals({ ok, message }, { false, ("%s: its schema has version %d, and this exeunt reads versions from %d on: a command that "
    .. "writes to it, as exeunt search does, brings it up to date"):format(self.it.path, self.count - 1, self.count) })
  self.it.store = Store.open(self.it.path, { make = false })
  lu.assertEquals(schema.version(self.it.store.db), self.count)
end

-- The first version can be read too; its journal stays as it is.
function TestSchema:test_the_first_version_is_read()
  self.it.store:close()
  local latest = table.remove(schema.migrations)
  local path = self.it.folder .. "/old.db"
  local db = Database.open(path)
  schema.prepare(db)
  table.insert(schema.migrations, latest)
  db:execute "INSERT INTO studies VALUES (4, 's', '{\"seed\": 1}', 5.5, 1, 0, 0)"
  db:execute "INSERT INTO trials (study, number, state, seen, attempts, change) VALUES (4, 0, 'running', 0, 1, 1)"
  db:close()
  local store = Store.open(path, { read = true })
  lu.assertEquals({ #store:export(4), schema.version(store.db) }, { 2, 1 })
  store:close()
  for _, line in ipairs { "studies", "trials s", "best s", "importance s", "study export s", "report s --json" } do
    command.run(line .. " --store " .. path)         -- the program's newest version is a later one
    db = Database.open(path)
    lu.assertEquals(schema.version(db), 1, line)
    db:close()
  end
  lu.assertNil(file.kind(path .. ".jsonl"))
  Store.open(path, { make = false }):close()
  db = Database.open(path)
  lu.assertEquals(schema.version(db), #schema.migrations)
  db:close()
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
