-- report/collect.lua: asks the files of a folder for their figures, and keeps those that have something to draw.

local figure = require "exeunt.report.figure"

-- collect(list, room, names, view): appends to list what each module room .. name gives for the view: a figure, a list or nil.
return function(list, room, names, view)
  for _, name in ipairs(names) do
    local made = require(room .. name)(view) or {}
    for _, fig in ipairs(made.series and { made } or made) do
      if figure.drawable(fig) then list[#list + 1] = fig end
    end
  end
end
