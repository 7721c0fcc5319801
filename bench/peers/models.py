"""The peers' networks: what bench/nets.lua builds, in PyTorch. Each returns a list of logits, early exits first, the last head last."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Head(nn.Module):
    """An exit: global average pool, linear."""

    def __init__(self, channels, classes):
        super().__init__()
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        return self.fc(x.mean((2, 3)))


class Staged(nn.Module):
    """Stages in a row with a head after the last, and after each other one if exits."""

    def __init__(self, stages, channels, head, classes, exits):
        super().__init__()
        self.stages, self.head = nn.ModuleList(stages), head
        self.exits = nn.ModuleList([Head(c, classes) for c in channels[:-1]] if exits else [])

    def forward(self, x):
        out = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i < len(self.exits):
                out.append(self.exits[i](x))
        return out + [self.head(x)]


def conv_bn(i, o, kernel=3, stride=1, groups=1, act=nn.ReLU):
    layers = [nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]
    return layers + ([act(inplace=True)] if act else [])


def lenet(exits, width=1, classes=10):
    first = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2))
    second = nn.Sequential(nn.Conv2d(6, 16, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2))
    head = nn.Sequential(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(inplace=True), nn.Linear(120, 84), nn.ReLU(inplace=True),
                         nn.Linear(84, classes))
    net = Staged([first, second], [6, 16], head, classes, False)
    if exits:
        net.exits = nn.ModuleList([Head(6, classes), Head(16, classes)])
    return net


def vgg(exits, width=1, classes=10):
    """Three stages of two 3x3 convolutions with batch norm and ReLU, then a 2x2 pool: 32, 64, 128 channels."""
    a, b, c = 32 * width, 64 * width, 128 * width
    stage = lambda i, o: nn.Sequential(*conv_bn(i, o), *conv_bn(o, o), nn.MaxPool2d(2))
    head = nn.Sequential(nn.Flatten(), nn.Linear(c * 3 * 3, classes))
    return Staged([stage(1, a), stage(a, b), stage(b, c)], [a, b, c], head, classes, exits)


class Basic(nn.Module):
    """A ResNet's basic block."""

    def __init__(self, i, o, stride):
        super().__init__()
        self.body = nn.Sequential(*conv_bn(i, o, 3, stride), *conv_bn(o, o, act=None))
        self.shortcut = nn.Sequential(*conv_bn(i, o, 1, stride, act=None)) if stride != 1 or i != o else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)


def resnet20(exits, width=1, classes=10):
    stage = lambda i, o, stride: nn.Sequential(Basic(i, o, stride), Basic(o, o, 1), Basic(o, o, 1))
    return Staged([nn.Sequential(*conv_bn(3, 16), stage(16, 16, 1)), stage(16, 32, 2), stage(32, 64, 2)], [16, 32, 64],
                  Head(64, classes), classes, exits)


class Inverted(nn.Module):
    """MobileNetV2's inverted residual."""

    def __init__(self, i, o, stride, expand):
        super().__init__()
        hidden, act = i * expand, nn.ReLU6
        self.residual = stride == 1 and i == o
        self.body = nn.Sequential(*(conv_bn(i, hidden, 1, act=act) if expand > 1 else []),
                                  *conv_bn(hidden, hidden, 3, stride, hidden, act), *conv_bn(hidden, o, 1, act=None))

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


def mobilenetv2(exits, width=1, classes=10):
    """A small MobileNetV2 for 32x32 images."""
    first = nn.Sequential(*conv_bn(3, 16, act=nn.ReLU6), Inverted(16, 16, 1, 1), Inverted(16, 24, 2, 6), Inverted(24, 24, 1, 6))
    second = nn.Sequential(Inverted(24, 32, 2, 6), Inverted(32, 32, 1, 6))
    third = nn.Sequential(Inverted(32, 64, 2, 6), Inverted(64, 64, 1, 6), *conv_bn(64, 256, 1, act=nn.ReLU6))
    return Staged([first, second, third], [24, 32, 256], Head(256, classes), classes, exits)


NETS = {"lenet": (lenet, (1, 28, 28)), "vgg": (vgg, (1, 28, 28)), "resnet20": (resnet20, (3, 32, 32)),
        "mobilenetv2": (mobilenetv2, (3, 32, 32))}


def find(name):
    """A maker (exits, width) -> network, the shape of its images, how many classes, how many heads it has with exits."""
    if name in NETS:
        return NETS[name] + (10, 3)
    import paper                            # torchvision takes a second to import
    return lambda exits, width=1: paper.make(name, exits), paper.SHAPE, paper.CLASSES, paper.EXITS


def macs(net, shape):
    """Multiply-accumulates of one image: convolutions and linear layers."""
    counted = []

    def count(layer, _, out):
        weight = layer.weight
        counted.append(out.numel() * weight[0].numel() if isinstance(layer, nn.Conv2d) else weight.numel())

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    training = net.training
    with torch.no_grad():
        net.eval()(torch.zeros(1, *shape))
    net.train(training)
    for hook in hooks:
        hook.remove()
    return sum(counted)


def ready(net, shape):
    """The line that a side says when it is warm."""
    return "ready %d %d" % (sum(p.numel() for p in net.parameters()), macs(net, shape))
