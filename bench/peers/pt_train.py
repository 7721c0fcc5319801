"""pt_train.py NET HEADS BATCH LAYOUT: a training step of PyTorch, timed in blocks on request.

The step is whole: gradients to none, forward, the sum of the exits' cross-entropies, backward, SGD with momentum 0.9 and weight
decay 5e-4, on one synthetic batch. LAYOUT: nhwc (channels_last) or nchw. Run it through ptenv.sh.

Protocol, the same as bench/train.lua's: says "ready PARAMETERS" when warm; for each line on standard input
    block SECONDS   trains for about so long, answers "STEPS SECONDS"
    memory          answers the peak resident memory of this process in MiB
    quit            ends, as the end of input does
"""
import sys
import time

import torch
import torch.nn.functional as F

import models


def peak_memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def main(name, heads, batch, layout):
    torch.set_num_threads(2)
    torch.manual_seed(0)
    make, shape = models.NETS[name]
    form = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    net = make(exits=heads > 1).to(memory_format=form).train()
    x = torch.randn(batch, *shape).to(memory_format=form)
    y = torch.randint(0, 10, (batch,))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    if len(net(x)) != heads:
        sys.exit("%s has %d heads, not %d" % (name, len(net(x)), heads))

    def step():
        optimizer.zero_grad(set_to_none=True)
        sum(F.cross_entropy(z, y) for z in net(x)).backward()
        optimizer.step()

    for _ in range(5):
        step()
    print("ready", sum(p.numel() for p in net.parameters()), flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "quit":
            break
        if words[0] == "block":
            steps, start = 0, time.perf_counter()
            while time.perf_counter() - start < float(words[1]):
                step()
                steps += 1
            print(steps, time.perf_counter() - start, flush=True)
        else:
            print(peak_memory(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
