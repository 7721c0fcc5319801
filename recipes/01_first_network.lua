-- A first network: the smallest honest example.
--
-- A recipe is a Lua file that returns ex.recipe { about, knobs, run }. `knobs` are what a person may turn from the command
-- line (`./exeunt run recipes/01_first_network.lua epochs=4`), with their defaults; every recipe also has `train_limit`
-- (train on that many images only) and `seed`. `run` does the work and says what came of it.
--
-- Here: open a data set, make a network, train it, test it. LeNet (LeCun et al. 1998, as taught today) is two convolutions
-- and three linear layers: small, quick, and already right on almost nine images of ten after an epoch or two.

local ex = require "exeunt"

return ex.recipe {
  about = "LeNet on Fashion-MNIST, one exit",
  knobs = { epochs = 2, batch = 64, lr = 1e-3 },

  run = function(knobs)
    -- 60,000 training images of 28 x 28 grey pixels in 10 classes. 9,000 of them are set aside for validation: they choose
    -- the epoch that is kept. The 10,000 test images are looked at once, at the end.
    local data = ex.data.open("fashion-mnist", { validation = 9000, train_limit = knobs.train_limit })

    local net = ex.models.lenet { input = data.shape, classes = data.classes }

    -- Training shows each image once an epoch, in a new order, `batch` at a time. After each epoch the network is scored
    -- on the validation images; the best one is what `net` holds at the end.
    local fit = ex.train(net, data, { optimizer = ex.optim.adam { lr = knobs.lr }, epochs = knobs.epochs, batch = knobs.batch })

    return ex.result { train = fit, net = net, test = data.test }
  end,
}
