-- report/html.lua: text for HTML: escaping, and nothing else. Whatever comes from a recipe, a file's name or a store goes through it.

local html = {}

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

-- escape(x): the text of x, safe between tags and inside quoted attributes; control characters become spaces.
function html.escape(x)
  return (tostring(x):gsub("[%z\1-\8\11\12\14-\31\127]", " "):gsub("[&<>\"']", entities))
end

return html
