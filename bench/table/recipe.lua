-- recipe.lua: a small real training for the table of results that samplers are compared on (bench/search.lua): AEP on a few images of
-- Fashion-MNIST with a small VGG of three exits, as recipes/02_aep_fashion.lua does, without the rest of that recipe. What it gives
-- is the vote's share of right answers on validation images, and the multiply-adds of an image.

local ex = require "exeunt"

return ex.recipe {
  about = "a small AEP training on Fashion-MNIST, for a table of results",
  knobs = { epochs = 2, batch = 64, lr = 4e-3, weighting = "mix", widths = { 8, 16, 32 } },

  run = function(knobs)
    local data = ex.data.open("fashion-mnist", { validation = 3000, train_limit = knobs.train_limit or 1500 })
    local net = ex.exits.anticipate(ex.models.vgg { input = data.shape, classes = data.classes, widths = knobs.widths, depths = 1 })
    local fit = ex.train(net, data, {
      weights = knobs.weighting, epochs = knobs.epochs, batch = knobs.batch, optimizer = ex.optim.adamw { lr = knobs.lr },
      schedule = ex.schedule.one_cycle(),
    })
    return { val_top1 = fit.best.vote.val_top1, macs = net:cost().macs }
  end,
}
