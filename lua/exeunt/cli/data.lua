return { about = "known data sets, and whether they are here", usage = "[NAME]", main = function() error("data sets are not known yet", 0) end }
