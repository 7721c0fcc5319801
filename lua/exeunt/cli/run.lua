return { about = 'run', main = function() error('not yet', 0) end }
