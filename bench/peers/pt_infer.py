"""pt_infer.py NET BATCH THREADS: inference of PyTorch at its best, timed in blocks on request (serve.py).

At the start it tries what PyTorch 1.13 offers (script and freeze, trace and freeze, optimize_for_inference, each in both layouts)
on THREADS threads and, at batch 1, on one, and keeps the fastest. Run it through ptenv.sh.
"""
import sys
import time
import warnings

import torch

import models
from serve import serve

warnings.filterwarnings("ignore")


class Last(torch.nn.Module):
    """The last head alone, as a tensor."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)[0]


def forms(net, x):
    """What to call and on what, each in its own form of optimisation."""
    for form in (torch.contiguous_format, torch.channels_last):
        m, images = net.to(memory_format=form), x.to(memory_format=form)
        traced = torch.jit.freeze(torch.jit.trace(m, images))
        yield traced, images
        try:
            yield torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(m, images))), images
        except RuntimeError:                # not every form can be optimised in every layout
            pass


def speed(call, images, seconds=0.3):
    for _ in range(5):
        call(images)
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        call(images)
        calls += 1
    return calls / (time.perf_counter() - start)


def main(name, batch, threads):
    torch.manual_seed(0)
    make, shape = models.find(name)[:2]
    net = make(False).eval()
    hello = models.ready(net, shape)
    with torch.no_grad():
        tried = []
        for count in {threads, 1} if batch == 1 else {threads}:
            torch.set_num_threads(count)
            tried += [(speed(call, images), count, call, images) for call, images in forms(Last(net).eval(), torch.randn(batch, *shape))]
        _, count, call, images = max(tried, key=lambda t: t[0])
        torch.set_num_threads(count)
        serve(hello, lambda: call(images))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:4]))
