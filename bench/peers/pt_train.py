"""pt_train.py NET HEADS BATCH THREADS WIDTH LAYOUT: a training step of PyTorch, timed in blocks on request (serve.py).

The step is whole: gradients to none, forward, the sum of the exits' cross-entropies, backward, SGD with momentum 0.9 and weight
decay 5e-4 (the paper's networks: Adam), on one synthetic batch. LAYOUT: nhwc (channels_last) or nchw. Run it through ptenv.sh.
"""
import sys

import torch
import torch.nn.functional as F

import models
from serve import serve


def main(name, heads, batch, threads, width, layout):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    make, shape, classes, _ = models.find(name)
    form = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    net = make(heads > 1, width).to(memory_format=form).train()
    x = torch.randn(batch, *shape).to(memory_format=form)
    y = torch.randint(0, classes, (batch,))
    optimizer = (torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4) if name in models.NETS
                 else torch.optim.Adam(net.parameters(), lr=1e-4))
    if len(net(x)) != heads:
        sys.exit("%s has %d heads, not %d" % (name, len(net(x)), heads))

    def step():
        optimizer.zero_grad(set_to_none=True)
        sum(F.cross_entropy(z, y) for z in net(x)).backward()
        optimizer.step()

    for _ in range(5):
        step()
    serve(models.ready(net, shape), step)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:6]), sys.argv[6])
