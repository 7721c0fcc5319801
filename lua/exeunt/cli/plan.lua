return { about = 'plan', main = function() error('not yet', 0) end }
