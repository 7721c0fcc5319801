"""The networks of the AEP paper for 3x64x64 images and 100 classes, out of torchvision's parts: the trunk cut into stages, a new
first convolution, an exit after each stage (or after the last alone). Each maker returns a network that gives a list of logits."""
import torch.nn as nn
from torchvision import models as tv

SHAPE, CLASSES, EXITS = (3, 64, 64), 100, 4


class Pool(nn.Module):
    """Global average pool."""

    def forward(self, x):
        return x.mean((2, 3))


class Exits(nn.Module):
    def __init__(self, stages, heads):
        super().__init__()
        self.stages, self.heads = nn.ModuleList(stages), nn.ModuleList(heads)

    def forward(self, x):
        out, skipped = [], len(self.stages) - len(self.heads)
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i >= skipped:
                out.append(self.heads[i - skipped](x))
        return out


def expanded(act, times, hidden=None, dropout=0.):
    """An exit of 1x1 convolution, batch norm, activation, pool and one linear layer or two."""
    def head(channels):
        wide = times * channels
        layers = [nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide, eps=1e-3, momentum=.01), act(), Pool()]
        if hidden:
            layers += [nn.Linear(wide, int(hidden * channels)), act(), nn.Dropout(dropout), nn.Linear(int(hidden * channels), CLASSES)]
        else:
            layers += [nn.Dropout(dropout), nn.Linear(wide, CLASSES)]
        return nn.Sequential(*layers)
    return head


def linear(channels):
    return nn.Sequential(Pool(), nn.Linear(channels, CLASSES))


def relu_linear(channels):
    return nn.Sequential(nn.ReLU(), *linear(channels))


def parts(layers, ends):
    """Runs of layers that end before each index."""
    layers, starts = list(layers), [0] + ends[:-1]
    return [nn.Sequential(*layers[a:b]) for a, b in zip(starts, ends)]


def resnet50():
    net = tv.resnet50()
    return parts([net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4], [5, 6, 7, 8])


NETS = {                                    # stages, their channels, an exit
    "resnet50": (resnet50, [256, 512, 1024, 2048], linear),
    "vgg16": (lambda: parts(tv.vgg16().features, [10, 17, 24, 31]), [128, 256, 512, 512], linear),
    "densenet169": (lambda: parts(tv.densenet169().features, [6, 8, 10, 12]), [128, 256, 640, 1664], relu_linear),
    "mobilenetv3small": (lambda: parts(tv.mobilenet_v3_small().features, [4, 7, 9, 12]), [24, 40, 48, 96],
                         expanded(nn.Hardswish, 6, 1.75, .2)),
    "efficientnetB5": (lambda: parts(tv.efficientnet_b5().features, [3, 5, 6, 8]), [40, 128, 176, 512], expanded(nn.SiLU, 4, None, .4)),
}


def make(name, exits):
    stages, channels, head = NETS[name]
    return Exits(stages(), [head(c) for c in (channels if exits else channels[-1:])])
