-- paper/latency.lua: latencies of a table's networks, measured again side by side. A results file may have grown over days and
-- machines, where a ratio of two latencies that it holds means nothing; a network's latency depends on its shape alone, so new
-- networks with untrained weights stand for the trained ones. One plan a distinct network: its exits, its classes, its input.

local cost = require "exeunt.cost"
local json = require "exeunt.report.json"
local cell = require "exeunt.paper.cell"

-- The networks of cells that share net, data and size: takes turns with its equals.
local function group_of(groups, c)
  local key = json.encode({ c.net, c.data, c.size })
  if not groups[key] then
    groups[key] = { cell = c, nets = {}, at = {} }
    groups[#groups + 1] = groups[key]
  end
  return groups[key]
end

-- The place in the group of the network with these exits, or of the single exit.
local function place(group, exits)
  local key = exits and table.concat(exits, "+") or "se"
  if not group.at[key] then
    local net = cell.network(group.cell, exits ~= nil, group.data)
    group.nets[#group.nets + 1] = exits and net:keep(exits) or net
    group.at[key] = #group.nets
  end
  return group.at[key]
end

-- measure(records[, { runs = 100, warmup = 20 }]): copies of a store's records whose `full` (of a single exit) or `pruned`
-- entry has this machine's latency.
return function(records, how)
  local groups, places, out = {}, {}, {}
  for i, r in ipairs(records) do
    local group = group_of(groups, r.cell)
    group.data = group.data or cell.data(r.cell)
    places[i] = { group = group, at = place(group, r.cell.scheme ~= "se" and r.result.pruned.exits or nil) }
  end
  for _, group in ipairs(groups) do group.latencies = cost.latencies(group.nets, how) end
  for i, r in ipairs(records) do
    local what = r.cell.scheme == "se" and "full" or "pruned"
    local entry, result = {}, {}
    for k, v in pairs(r.result) do result[k] = v end
    for k, v in pairs(r.result[what]) do entry[k] = v end
    entry.latency_ms = places[i].group.latencies[places[i].at].median_ms
    result[what] = entry
    out[i] = { cell = r.cell, made = r.made, result = result }
  end
  return out
end
