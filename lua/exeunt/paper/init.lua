-- paper/init.lua: ex.paper: the experiments of "Anticipate, Ensemble and Prune" (arXiv 2301.12168): one cell of its grid
-- (paper/cell.lua), many of them (paper/grid.lua), finished cells in a file (paper/store.lua), and the paper's table with what it
-- leaves out (paper/table.lua).

local paper = {}
for _, name in ipairs { "cell", "grid", "store", "table" } do paper[name] = require("exeunt.paper." .. name) end
return paper
