return { about = 'doctor', main = function() error('not yet', 0) end }
