#!/usr/bin/python3
"""The networks of ex.models as torchvision's modules, with the exits of the method, for the engine's tests to agree with.

    /usr/bin/python3 tests/golden/models.py            makes models.safetensors beside itself: a summary, which is committed
    /usr/bin/python3 tests/golden/models.py NET FILE   writes all of one network (FILE.safetensors): weights, logits, gradients, statistics

A network is torchvision's without its classifier, plus `exits.<i>`, which are built here from the method's table and have the
names that ex.exits.anticipate gives. Parameters and buffers are drawn as the engine draws: Philox words of (seed, name), so
that the summary needs no weights. Step: one image batch in training form, dropout and stochastic depth off, loss =
sum_i a_i CE_i with a descending. Numbers are float64's; float32's distance from them stands beside each.

Summary, by network: NET.exit<i> logits in inference form (N, K); NET.loss (); NET.step (tensors, 3 + PROBES): of each gradient
and running statistic, sorted by name, the largest |g|, the length, float32's largest error, and PROBES entries at the places
floor(count (2 k + 1) / (2 PROBES)). It refuses to test the engine: that is tests/lua/exeunt/models/*_test.lua.
"""
import math
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision

from generate import store

SEED, CLASSES, PROBES = 5, 10, 6


# -- The engine's random numbers ------------------------------------------------------------------------------

def hash_name(name):
    value = 2166136261
    for byte in name.encode():
        value = ((value ^ byte) * 16777619) & 0xffffffff
    return value


def philox(count, stream):
    """count words of the stream: Philox4x32-10 of counters (k, 0, 0, stream) under the key (SEED, 0)."""
    low, shift = np.uint64(0xffffffff), np.uint64(32)
    groups = (count + 3) // 4
    c = [np.arange(groups, dtype=np.uint64), np.zeros(groups, np.uint64), np.zeros(groups, np.uint64),
         np.full(groups, stream, np.uint64)]
    key = [SEED, 0]
    for _ in range(10):
        a, b = c[0] * np.uint64(0xd2511f53), c[2] * np.uint64(0xcd9e8d57)
        c = [(b >> shift) ^ c[1] ^ np.uint64(key[0]), b & low, (a >> shift) ^ c[3] ^ np.uint64(key[1]), a & low]
        key = [(key[0] + 0x9e3779b9) & 0xffffffff, (key[1] + 0xbb67ae85) & 0xffffffff]
    return np.stack(c, 1).reshape(-1)[:count]


def uniform(shape, low, high, name):
    """As ex.tensor's uniform_(low, high, { seed = SEED, stream = name }): float32, below high."""
    unit = philox(int(np.prod(shape)), hash_name(name)).astype(np.float64) * 2.0 ** -32
    value = (low + (high - low) * unit).astype(np.float32)
    value = np.where(value < high, value, np.nextafter(np.float32(high), np.float32(-np.inf)))
    return torch.from_numpy(value.reshape(tuple(shape)))


def bounds(name, shape):
    """What a parameter or buffer is drawn between. The tests' Lua has the same rule."""
    if len(shape) > 1:
        bound = math.sqrt(6.0 / np.prod(shape[1:]))
        return -bound, bound
    if name.endswith("running_var") or name.endswith(".weight"):
        return 0.5, 1.5
    return -0.25, 0.25


# -- Exits ----------------------------------------------------------------------------------------------------

class Named(nn.Module):
    """A linear layer of that name after global average pooling, and perhaps a relu before it."""

    def __init__(self, name, width, relu=False):
        super().__init__()
        self.name, self.relu = name, relu
        self.add_module(name, nn.Linear(width, CLASSES))

    def forward(self, x):
        return getattr(self, self.name)((torch.relu(x) if self.relu else x).mean((2, 3)))


# -- Networks: a trunk with torchvision's names, the ends of its stages ---------------------------------------

class Exits(nn.Module):
    """trunk: a torchvision module; stages: its parts in order, a list for each stage; heads: a module for each."""

    def __init__(self, trunk, stages, heads):
        super().__init__()
        for name, child in trunk.named_children():
            self.add_module(name, child)
        self.exits = nn.ModuleDict({str(i + 1): head for i, head in enumerate(heads)})
        self.stages = stages                            # a list of lists, so no children

    def forward(self, x):
        out = []
        for stage, head in zip(self.stages, self.exits.values()):
            for part in stage:
                x = part(x)
            out.append(head(x))
        return out


def resnet(name):
    m = getattr(torchvision.models, name)()
    stages = [[m.conv1, m.bn1, m.relu, m.maxpool, m.layer1], [m.layer2], [m.layer3], [m.layer4]]
    last = m.fc.in_features
    del m.fc
    return Exits(m, stages, [Named("fc", last // 8 * 2 ** i) for i in range(4)])


def vgg(name, pools=(2, 3, 4, 5)):
    m = getattr(torchvision.models, name)(init_weights=False)
    del m.classifier
    stages, heads, seen, begun, width = [], [], 0, [], 0
    for part in m.features:
        begun.append(part)
        width = getattr(part, "out_channels", width)
        if isinstance(part, nn.MaxPool2d):
            seen += 1
            if seen in pools:
                stages.append(begun)
                heads.append(Named("classifier", width))
                begun = []
    return Exits(m, stages, heads)


def densenet(name):
    m = getattr(torchvision.models, name)()
    last = m.classifier.in_features
    del m.classifier
    f = m.features
    stages = [[f.conv0, f.norm0, f.relu0, f.pool0, f.denseblock1, f.transition1], [f.denseblock2, f.transition2],
              [f.denseblock3, f.transition3], [f.denseblock4, f.norm5]]
    widths = [t.conv.out_channels for t in (f.transition1, f.transition2, f.transition3)] + [last]
    return Exits(m, stages, [Named("classifier", w, relu=True) for w in widths])


# name: what makes it, image's side, images in a batch
NETS = {
    "resnet18": (lambda: resnet("resnet18"), 64, 4),
    "resnet50": (lambda: resnet("resnet50"), 64, 4),
    "vgg11_bn": (lambda: vgg("vgg11_bn"), 32, 4),
    "vgg16": (lambda: vgg("vgg16"), 32, 2),
    "vgg16full": (lambda: vgg("vgg16", (1, 2, 3, 4, 5)), 32, 2),
    "densenet121": (lambda: densenet("densenet121"), 64, 4),
    "densenet169": (lambda: densenet("densenet169"), 64, 4),
}
SUMMARY = ["resnet50", "vgg16", "vgg16full", "densenet169"]


# -- One step -------------------------------------------------------------------------------------------------

def prepared(make):
    """The module with drawn numbers and nothing random, in float64."""
    module = make()
    for part in module.modules():
        if isinstance(part, (nn.Dropout, torchvision.ops.StochasticDepth)):
            part.p = 0.0
        if hasattr(part, "inplace"):
            part.inplace = False
    for name, value in module.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            value.copy_(uniform(value.shape, *bounds(name, value.shape), name))
    return module.double()


def step(module, x, y):
    """Logits in inference form; the loss, gradients and running statistics of one step."""
    state = {k: v.clone() for k, v in module.state_dict().items()}
    module.eval()
    with torch.no_grad():
        logits = module(x)
    module.train()
    module.zero_grad()
    out = module(x)
    loss = sum((len(out) - i) * F.cross_entropy(z, y) for i, z in enumerate(out)) / (len(out) * (len(out) + 1) / 2)
    loss.backward()
    result = {k: p.grad.detach().clone() for k, p in module.named_parameters()}
    result.update({k: b.detach().clone() for k, b in module.named_buffers() if not k.endswith("num_batches_tracked")})
    module.load_state_dict(state)
    return logits, loss.detach(), result


def run(name):
    """x, y, logits, loss, { name: (float64's tensor, float32's largest error) }, weights."""
    make, side, count = NETS[name]
    x, y = uniform((count, 3, side, side), -2, 2, "x").double(), torch.arange(count) * 7 % CLASSES
    module = prepared(make)
    weights = {k: v.clone() for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    logits, loss, exact = step(module, x, y)
    _, _, single = step(module.float(), x.float(), y)
    return x, y, logits, loss, {k: (v, (single[k].double() - v).abs().max()) for k, v in exact.items()}, weights


def summary(value, error):
    flat = value.reshape(-1)
    places = [len(flat) * (2 * k + 1) // (2 * PROBES) for k in range(PROBES)]
    return [flat.abs().max().item(), flat.norm().item(), error.item()] + flat[places].tolist()


def main():
    torch.set_num_threads(2)
    whole = len(sys.argv) == 3
    names = sys.argv[1:2] if whole else SUMMARY
    cases, tensors = [], {}
    for name in names:
        x, y, logits, loss, results, weights = run(name)
        keys = sorted(results)
        cases.append({"name": name, "side": x.shape[2], "count": len(x), "tensors": keys if whole else len(keys)})
        tensors.update({"%s.exit%d" % (name, i + 1): z for i, z in enumerate(logits)})
        tensors[name + ".loss"] = loss
        tensors[name + ".step"] = torch.tensor([summary(*results[k]) for k in keys])
        if whole:
            tensors.update({name + ".x": x, name + ".y": y.int()})
            tensors.update({name + ".w." + k: v for k, v in weights.items()})
            tensors.update({name + ".d." + k: v for k, (v, _) in results.items()})
    store(os.path.abspath(sys.argv[2]).removesuffix(".safetensors") if whole else "models", cases, tensors)


if __name__ == "__main__":
    main()
