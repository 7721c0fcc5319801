-- search/schema.lua: the tables of a store and how an older one becomes this one. The same for SQLite and PostgreSQL. Numbers
-- that must come back digit by digit (values, steps, seconds) are texts, lists and tables JSON. It keeps no data.
--
-- To change the schema: append a list of statements (or functions of the database) here, never edit one; write what it is for.
-- Commands that only look into a store read it as it is, from the version `schema.readable` on: where search/store.lua reads
-- what a new version adds, let it do without, or set `readable` to that version.

local core = require "exeunt.core"

local schema = { readable = 1 }

schema.migrations = {
  {                                          -- 1: studies, trials, steps
    [[CREATE TABLE studies (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
        next INTEGER NOT NULL,               /* the number of the next new trial */
        finished INTEGER NOT NULL,           /* how many have finished: the last one's finish */
        change BIGINT NOT NULL)              /* grows with each transaction that changes a trial */]],
    [[CREATE TABLE trials (
        study INTEGER NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, params TEXT, point TEXT, seen INTEGER NOT NULL,
        finish INTEGER, "values" TEXT, constraints TEXT, error TEXT, seconds TEXT, run_dir TEXT, attributes TEXT,
        worker TEXT, attempts INTEGER NOT NULL,
        claim TEXT,                          /* who may report and finish: new at each claim */
        lease DOUBLE PRECISION,              /* the database's clock at which the claim is over */
        lease_length DOUBLE PRECISION, change BIGINT NOT NULL, PRIMARY KEY (study, number))]],
    "CREATE INDEX trials_by_change ON trials (study, change)",
    "CREATE INDEX trials_by_state ON trials (study, state, number)",
    [[CREATE TABLE steps (
        study INTEGER NOT NULL, number INTEGER NOT NULL, step INTEGER NOT NULL, value TEXT,    /* NULL: not finite */
        PRIMARY KEY (study, number, step))]],
  },
  {                                          -- 2: what tells this store from another; ids that nobody gets twice; the journal's length
    "ALTER TABLE exeunt_store ADD COLUMN identity TEXT",
    "ALTER TABLE exeunt_store ADD COLUMN made INTEGER",              -- the highest id that a study has had
    "ALTER TABLE exeunt_store ADD COLUMN journal BIGINT",            -- its bytes after the last event; NULL: not known
    "UPDATE exeunt_store SET made = (SELECT COALESCE(MAX(id), 0) FROM studies)",
    function(db) db:execute(("UPDATE exeunt_store SET identity = %s"):format(db.unique)) end,
  },
}

-- version(db) -> the schema's version in the database, 0 where it has none.
function schema.version(db)
  local there
  if db.server then there = db:first "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'exeunt_store'"
  else there = db:first "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'exeunt_store'" end
  if not there then return 0 end
  return tonumber((db:first "SELECT version FROM exeunt_store"))
end

-- The database's version. Refuses a newer one than is known.
local function known(db)
  local version, newest = schema.version(db), #schema.migrations
  if version <= newest then return version end
  core.raise("%s: its schema has version %d, this exeunt knows versions up to %d: use a newer exeunt", db.name, version, newest)
end

-- check(db) -> is it of the newest version? Refuses one that cannot be read as it is. It changes nothing.
function schema.check(db)
  local version = known(db)
  if version < schema.readable then
    core.raise("%s: its schema has version %d, and this exeunt reads versions from %d on: a command that writes to it, as exeunt search "
               .. "does, brings it up to date", db.name, version, schema.readable)
  end
  return version == #schema.migrations
end

-- check_foreign(db): of a database without a version: refuses an SQLite file that holds other things.
function schema.check_foreign(db)
  if not db.server and db:first "SELECT name FROM sqlite_master LIMIT 1" then
    core.raise("%s: an SQLite file, but not a store of studies: name another file", db.name)
  end
end

-- prepare(db): makes the tables, or brings older ones up to date, in one transaction. Refuses a newer schema, and an SQLite
-- file that holds other things.
function schema.prepare(db)
  local newest = #schema.migrations
  if known(db) == newest then return end
  db:transact(function()
    if db.server then db:execute "SELECT pg_advisory_xact_lock(6548221)" end     -- one at a time
    local version = known(db)
    if version == 0 then
      schema.check_foreign(db)
      -- events: how many events the store has had; each has one line in the journal
      db:execute "CREATE TABLE exeunt_store (version INTEGER NOT NULL, events BIGINT NOT NULL)"
      db:execute "INSERT INTO exeunt_store VALUES (0, 0)"
    end
    for v = version + 1, newest do
      for _, step in ipairs(schema.migrations[v]) do
        if type(step) == "function" then step(db) else db:execute(step) end
      end
    end
    db:execute("UPDATE exeunt_store SET version = $1", newest)
  end)
end

return schema
