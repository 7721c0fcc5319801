return { about = 'repl', main = function() error('not yet', 0) end }
