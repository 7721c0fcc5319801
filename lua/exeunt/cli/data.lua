return { about = 'data', main = function() error('not yet', 0) end }
