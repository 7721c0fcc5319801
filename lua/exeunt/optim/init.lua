-- optim: optimisers as descriptors. Each has build(g, params, grads, scale), which appends update nodes to a training
-- graph; it holds no state itself, so one descriptor serves many trainings. The learning rate comes in at each step, so a
-- schedule (schedule.lua) needs nothing from here. Parameter groups: groups = { { "exits.*", lr = 0.01 }, ... }.

local adam = require "exeunt.optim.adam"

local optim = { sgd = require "exeunt.optim.sgd", adam = adam.adam, adamw = adam.adamw }

return require("exeunt.options").module("ex.optim", optim, {
  SGD = "sgd", Adam = "adam", AdamW = "adamw",
})
