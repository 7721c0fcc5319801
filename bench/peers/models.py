"""The peers' networks: what ex.models builds, in PyTorch. Each returns a list of logits, early exits first, the last head last."""
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


def conv_bn(i, o, kernel=3, stride=1, relu=True):
    layers = [nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(o)]
    return layers + ([nn.ReLU(inplace=True)] if relu else [])


def lenet(exits, classes=10):
    first = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2))
    second = nn.Sequential(nn.Conv2d(6, 16, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2))
    head = nn.Sequential(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(inplace=True), nn.Linear(120, 84), nn.ReLU(inplace=True),
                         nn.Linear(84, classes))
    net = Staged([first, second], [6, 16], head, classes, False)
    if exits:
        net.exits = nn.ModuleList([Head(6, classes), Head(16, classes)])
    return net


def vgg(exits, classes=10):
    """Three stages of two 3x3 convolutions with batch norm and ReLU, then a 2x2 pool: 32, 64, 128 channels."""
    stage = lambda i, o: nn.Sequential(*conv_bn(i, o), *conv_bn(o, o), nn.MaxPool2d(2))
    return Staged([stage(1, 32), stage(32, 64), stage(64, 128)], [32, 64, 128], Head(128, classes), classes, exits)


class Basic(nn.Module):
    """A ResNet's basic block."""

    def __init__(self, i, o, stride):
        super().__init__()
        self.body = nn.Sequential(*conv_bn(i, o, 3, stride), *conv_bn(o, o, relu=False))
        self.shortcut = nn.Sequential(*conv_bn(i, o, 1, stride, False)) if stride != 1 or i != o else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)


def resnet20(exits, classes=10):
    stage = lambda i, o, stride: nn.Sequential(Basic(i, o, stride), Basic(o, o, 1), Basic(o, o, 1))
    return Staged([nn.Sequential(*conv_bn(3, 16), stage(16, 16, 1)), stage(16, 32, 2), stage(32, 64, 2)], [16, 32, 64],
                  Head(64, classes), classes, exits)


NETS = {"lenet": (lenet, (1, 28, 28)), "vgg": (vgg, (1, 28, 28)), "resnet20": (resnet20, (3, 32, 32))}
