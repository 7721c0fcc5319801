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
from functools import partial

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
from torchvision.ops.misc import Conv2dNormActivation

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


def drawn(name, shape, state):
    """The numbers of a parameter or buffer; the tests' Lua has the same rule. Batch norms scale by about 0.3 and move by 0.5 to
    1 up or down, so that few numbers come so near to a kink of an activation that rounding puts them on its other side."""
    if len(shape) > 1:
        bound = math.sqrt(6.0 / np.prod(shape[1:]))
        return uniform(shape, -bound, bound, name)
    if name.endswith("running_var"):
        return uniform(shape, 0.5, 1.5, name)
    if name.endswith(".weight"):
        return uniform(shape, 0.2, 0.4, name)
    value = uniform(shape, -0.5, 0.5, name)
    normed = name.endswith(".bias") and name[:-4] + "running_mean" in state
    return torch.where(value < 0, value - 0.5, value + 0.5) if normed else value


# -- Exits ----------------------------------------------------------------------------------------------------

class Named(nn.Module):
    """A linear layer of that name after global average pooling, and perhaps a relu before it."""

    def __init__(self, name, width, relu=False):
        super().__init__()
        self.name, self.before = name, nn.ReLU() if relu else nn.Identity()
        self.add_module(name, nn.Linear(width, CLASSES))

    def forward(self, x):
        return getattr(self, self.name)(self.before(x).mean((2, 3)))


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


def mobilenet_v3(m, ends):
    """ends: the features after which a stage ends; an exit is the module's own classifier with its widths rescaled."""
    count, dropout = len(m.features) - 2, m.classifier[2].p
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
    stages, heads = [], []
    for begin, end in zip([0] + [e + 1 for e in ends], ends):
        stages.append(list(m.features[begin:end + 1]))
        width, head = m.features[end].out_channels, nn.Sequential()
        conv = Conv2dNormActivation(width, 6 * width, kernel_size=1, norm_layer=norm, activation_layer=nn.Hardswish)
        head.features = nn.ModuleDict({str(count + 1): conv})
        hidden = int(1.75 * width)
        head.classifier = nn.Sequential(nn.Linear(6 * width, hidden), nn.Hardswish(), nn.Dropout(dropout), nn.Linear(hidden, CLASSES))
        head.forward = lambda x, h=head, c=conv: h.classifier(c(x).mean((2, 3)))
        heads.append(head)
    del m.features[-1], m.classifier
    return Exits(m, stages, heads)


def efficientnet(m, ends):
    dropout, norm, stages, heads = m.classifier[0].p, m.features[-1][1], [], []
    norm = partial(nn.BatchNorm2d, eps=norm.eps, momentum=norm.momentum)
    for begin, end in zip([0] + [e + 1 for e in ends], ends):
        stages.append(list(m.features[begin:end + 1]))
        width, head = m.features[end][-1].out_channels, nn.Sequential()
        conv = Conv2dNormActivation(width, 4 * width, kernel_size=1, norm_layer=norm, activation_layer=nn.SiLU)
        head.features = nn.ModuleDict({"8": conv})
        head.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * width, CLASSES))
        head.forward = lambda x, h=head, c=conv: h.classifier(c(x).mean((2, 3)))
        heads.append(head)
    del m.features[-1], m.classifier
    return Exits(m, stages, heads)


# -- Small networks of one kind of block ----------------------------------------------------------------------

def conv_norm(i, o, act=True):
    return [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o)] + ([nn.ReLU()] if act else [])


def small_resnet(block, widths, counts):
    """A 3x3 stem, then layer1, layer2, ... of torchvision's blocks, the first of each with stride 2 but in layer1."""
    m, channels = nn.Module(), widths[0]
    m.conv1, m.bn1, m.relu = conv_norm(3, channels)
    stages = []
    for i, (width, count) in enumerate(zip(widths, counts)):
        layer = nn.Sequential()
        for k in range(count):
            stride, out = 2 if i > 0 and k == 0 else 1, width * block.expansion
            down = None
            if stride > 1 or channels != out:
                down = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            layer.append(block(channels, width, stride, down))
            channels = out
        m.add_module("layer%d" % (i + 1), layer)
        stages.append(([m.conv1, m.bn1, m.relu] if i == 0 else []) + [layer])
    return Exits(m, stages, [Named("fc", w * block.expansion) for w in widths])


def small_vgg(widths, batch_norm):
    m, channels, stages, parts = nn.Module(), 3, [], []
    for width in widths:
        conv = nn.Conv2d(channels, width, 3, padding=1, bias=not batch_norm)
        stages.append([conv] + ([nn.BatchNorm2d(width)] if batch_norm else []) + [nn.ReLU(), nn.MaxPool2d(2)])
        parts += stages[-1]
        channels = width
    m.features = nn.Sequential(*parts)
    return Exits(m, stages, [Named("classifier", w) for w in widths])


def small_densenet():
    m = torchvision.models.DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=6, bn_size=2)
    del m.classifier
    f = m.features
    stages = [[f.conv0, f.norm0, f.relu0, f.pool0, f.denseblock1, f.transition1], [f.denseblock2, f.norm5]]
    return Exits(m, stages, [Named("classifier", 7, relu=True), Named("classifier", 15, relu=True)])


def small_mobilenet_v2():
    m, unit = nn.Module(), partial(Conv2dNormActivation, activation_layer=nn.ReLU6)
    block = torchvision.models.mobilenetv2.InvertedResidual
    m.features = nn.Sequential(unit(3, 4), block(4, 6, 1, 1), block(6, 8, 2, 3), block(8, 8, 1, 3), unit(8, 12, kernel_size=1))
    head = nn.Sequential()
    head.classifier = nn.Sequential(nn.Identity(), nn.Linear(12, CLASSES))
    head.forward = lambda x: head.classifier(x.mean((2, 3)))
    return Exits(m, [list(m.features)], [head])


def small_mobilenet_v3(*rows):
    row = partial(torchvision.models.mobilenetv3.InvertedResidualConfig, dilation=1, width_mult=1)
    m = torchvision.models.MobileNetV3([row(*r) for r in rows], 8, dropout=0.2)
    return mobilenet_v3(m, [len(rows)])


def small_efficientnet():
    row = partial(torchvision.models.efficientnet.MBConvConfig, width_mult=0.25, depth_mult=0.5)
    m = torchvision.models.EfficientNet([row(1, 3, 1, 32, 16, 1), row(6, 3, 2, 16, 24, 2), row(6, 5, 2, 24, 40, 2),
        row(6, 3, 2, 40, 80, 3), row(6, 5, 1, 80, 112, 3), row(6, 5, 2, 112, 192, 4), row(6, 3, 1, 192, 320, 1)], 0.2)
    return efficientnet(m, [1, 2, 3, 4, 5, 6, 7])


# -- Cases ----------------------------------------------------------------------------------------------------

models, blocks = torchvision.models, torchvision.models.resnet

# name: what makes it, image's side, images in a batch[, the engine's constructor, its options]. Those with a constructor are
# the blocks, whose images are drawn until no number is near a kink.
NETS = {
    "resnet18": (lambda: resnet("resnet18"), 64, 4),
    "resnet50": (lambda: resnet("resnet50"), 64, 4),
    "vgg11_bn": (lambda: vgg("vgg11_bn"), 32, 4),
    "vgg16": (lambda: vgg("vgg16"), 32, 2),
    "vgg16full": (lambda: vgg("vgg16", (1, 2, 3, 4, 5)), 32, 2),
    "densenet121": (lambda: densenet("densenet121"), 64, 4),
    "densenet169": (lambda: densenet("densenet169"), 64, 4),
    "mobilenetv3small": (lambda: mobilenet_v3(models.mobilenet_v3_small(), [3, 6, 8, 11]), 64, 4),
    "mobilenetv3smallfull": (lambda: mobilenet_v3(models.mobilenet_v3_small(), [1, 3, 6, 8, 11]), 64, 4),
    "mobilenetv3large": (lambda: mobilenet_v3(models.mobilenet_v3_large(), [3, 6, 10, 12, 15]), 64, 4),
    "efficientnetB0": (lambda: efficientnet(models.efficientnet_b0(), [2, 4, 5, 7]), 64, 4),
    "efficientnetB5": (lambda: efficientnet(models.efficientnet_b5(), [2, 4, 5, 7]), 64, 4),
    "efficientnetB5full": (lambda: efficientnet(models.efficientnet_b5(), [1, 2, 3, 4, 5, 6, 7]), 64, 4),
    "basic": (lambda: small_resnet(blocks.BasicBlock, [4, 8], [1, 2]), 8, 3, "resnet", {"blocks": [1, 2], "widths": [4, 8]}),
    "bottleneck": (lambda: small_resnet(blocks.Bottleneck, [4, 6], [2, 2]), 8, 3, "resnet",
                   {"blocks": [2, 2], "widths": [4, 6], "block": "bottleneck"}),
    "conv_relu": (lambda: small_vgg([4, 6], False), 8, 3, "vgg", {"widths": [4, 6], "depths": 1, "batch_norm": False}),
    "conv_norm_relu": (lambda: small_vgg([4, 6], True), 8, 3, "vgg", {"widths": [4, 6], "depths": 1}),
    "dense": (small_densenet, 18, 3, "densenet", {"blocks": [2, 2], "growth": 4, "stem": 6, "bottleneck": 2}),
    "inverted": (small_mobilenet_v2, 8, 3, "mobilenetv2",
                 {"rows": [[1, 6, 1, 1], [3, 8, 2, 2]], "stem": 4, "stem_stride": 1, "last": 12, "dropout": 0, "stages": [2]}),
    "squeeze_relu": (lambda: small_mobilenet_v3((16, 3, 16, 16, True, "RE", 2), (16, 5, 24, 16, True, "RE", 1)), 12, 3,
                     "mobilenetv3", {"rows": [[3, 16, 16, 1, "relu", 2], [5, 24, 16, 1, "relu", 1]], "stages": [2], "dropout": 0}),
    "squeeze_hard_swish": (lambda: small_mobilenet_v3((16, 5, 24, 16, True, "HS", 1), (16, 3, 24, 24, False, "HS", 2)), 12, 3,
                           "mobilenetv3", {"rows": [[5, 24, 16, 1, "hard_swish", 1], [3, 24, 24, 0, "hard_swish", 2]],
                                           "stages": [2], "dropout": 0}),
    "squeeze_silu": (small_efficientnet, 32, 4, "efficientnet",
                     {"width": 0.25, "depth": 0.5, "dropout": 0, "stochastic_depth": 0}),
}
SUMMARY = ["basic", "bottleneck", "conv_relu", "conv_norm_relu", "dense", "inverted", "squeeze_relu", "squeeze_hard_swish",
           "squeeze_silu", "resnet50", "vgg16", "vgg16full", "densenet169", "mobilenetv3small", "mobilenetv3smallfull",
           "efficientnetB5", "efficientnetB5full"]

KINKS = {nn.ReLU: [0], nn.ReLU6: [0, 6], nn.Hardswish: [-3, 3], nn.Hardsigmoid: [-3, 3]}


def margin(module, x):
    """How near a number comes to a kink of an activation, or the largest of a pooling's window to its second."""
    least, hooks = [math.inf], []

    def watch(part, inputs):
        z = inputs[0].detach()
        if isinstance(part, nn.MaxPool2d):
            top = F.unfold(z, part.kernel_size, padding=0, stride=part.stride).reshape(len(z), z.shape[1], -1, z.shape[2] // 2 * (
                z.shape[3] // 2)).topk(2, 2).values
            gap = (top[:, :, 0] - top[:, :, 1])[top[:, :, 0] > 0]
            least[0] = min(least[0], gap.min().item())
            return
        for kink in KINKS[type(part)]:
            least[0] = min(least[0], (z - kink).abs().min().item())

    for part in module.modules():
        if type(part) in KINKS or isinstance(part, nn.MaxPool2d) and part.kernel_size == 2:
            hooks.append(part.register_forward_pre_hook(watch))
    state = {k: v.clone() for k, v in module.state_dict().items()}
    module.train()
    with torch.no_grad():
        module(x)
    module.load_state_dict(state)
    for h in hooks:
        h.remove()
    return least[0]


# -- One step -------------------------------------------------------------------------------------------------

def prepared(make):
    """The module with drawn numbers and nothing random, in float64."""
    module = make()
    for part in module.modules():
        if isinstance(part, (nn.Dropout, torchvision.ops.StochasticDepth)):
            part.p = 0.0
        if hasattr(part, "inplace"):
            part.inplace = False
    state = module.state_dict()
    for name, value in state.items():
        if not name.endswith("num_batches_tracked"):
            value.copy_(drawn(name, value.shape, state))
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


def images(name, module):
    """The name of the images' stream and the images; for a block the first of some streams that keeps off the kinks."""
    make, side, count = NETS[name][:3]
    best = ("x", 0)
    if len(NETS[name]) > 3:
        streams = ["x%d" % i for i in range(60)]
        best = max((margin(module, uniform((count, 3, side, side), -2, 2, s).double()), s) for s in streams)[::-1]
        print("%-20s keeps %.2g off the kinks" % (name, best[1]))
    return best[0], uniform((count, 3, side, side), -2, 2, best[0]).double()


def run(name):
    """The images' stream, x, y, logits, loss, { name: (float64's tensor, float32's largest error) }, weights."""
    make, side, count = NETS[name][:3]
    module = prepared(make)
    stream, x = images(name, module)
    y = torch.arange(count) * 7 % CLASSES
    weights = {k: v.clone() for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    logits, loss, exact = step(module, x, y)
    _, _, single = step(module.float(), x.float(), y)
    return stream, x, y, logits, loss, {k: (v, (single[k].double() - v).abs().max()) for k, v in exact.items()}, weights


def summary(value, error):
    flat = value.reshape(-1)
    places = [len(flat) * (2 * k + 1) // (2 * PROBES) for k in range(PROBES)]
    return [flat.abs().max().item(), flat.norm().item(), error.item()] + flat[places].tolist()


def main():
    torch.set_num_threads(1)
    whole = len(sys.argv) == 3
    names = sys.argv[1:2] if whole else SUMMARY
    cases, tensors = [], {}
    for name in names:
        stream, x, y, logits, loss, results, weights = run(name)
        keys = sorted(results)
        model, options = NETS[name][3:] or (name, None)
        cases.append({"name": name, "model": model, "options": options, "side": x.shape[2], "count": len(x), "stream": stream})
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
