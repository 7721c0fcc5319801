-- prune/init.lua: ways to make a trained network smaller. exits: keep the best subset of its exits.

return { exits = require "exeunt.prune.exits" }
