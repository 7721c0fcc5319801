#!/usr/bin/python3
"""Makes networks.safetensors: whole networks with exits in PyTorch, their weights by name and their logits.

Run by hand (`/usr/bin/python3 tests/golden/networks.py`); see generate.py, whose numbers and files these are like. Modules are
made of torch.nn alone, with the names that the engine gives. A case is {"name", "exits"}; its tensors are NAME.x,
NAME.w.<parameter or buffer> and NAME.exit<i> (logits in inference form).
"""
import torch
import torch.nn as nn

from generate import draw, store


def conv(i, o, k=3, s=1):
    return nn.Conv2d(i, o, k, s, k // 2, bias=False)


class Vgg(nn.Module):
    """widths 3, 4; depths 1, 2; batch norm; the last exit flattens, the first one pools."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            conv(2, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2),
            conv(3, 4), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.exits = nn.ModuleDict({"1": nn.ModuleDict({"classifier": nn.Linear(3, 5)}),
                                    "2": nn.ModuleDict({"classifier": nn.Linear(4 * 2 * 2, 5)})})

    def forward(self, x):
        first = self.features[:4](x)
        second = self.features[4:](first)
        return self.exits["1"]["classifier"](first.mean((2, 3))), self.exits["2"]["classifier"](second.flatten(1))


class Block(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.conv1, self.bn1, self.conv2, self.bn2 = conv(i, o, s=s), nn.BatchNorm2d(o), conv(o, o), nn.BatchNorm2d(o)
        if s != 1 or i != o:
            self.downsample = nn.Sequential(conv(i, o, 1, s), nn.BatchNorm2d(o))

    def forward(self, x):
        short = self.downsample(x) if hasattr(self, "downsample") else x
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + short)


class Resnet(nn.Module):
    """depth 8, widths 3, 4, 5."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv(2, 3), nn.BatchNorm2d(3)
        self.layer1, self.layer2, self.layer3 = (nn.Sequential(Block(*a)) for a in ((3, 3, 1), (3, 4, 2), (4, 5, 2)))
        self.exits = nn.ModuleDict({str(i + 1): nn.ModuleDict({"fc": nn.Linear(w, 5)}) for i, w in enumerate((3, 4, 5))})

    def forward(self, x):
        out, x = [], torch.relu(self.bn1(self.conv1(x)))
        for i, stage in enumerate((self.layer1, self.layer2, self.layer3)):
            x = stage(x)
            out.append(self.exits[str(i + 1)]["fc"](x.mean((2, 3))))
        return out


def main():
    cases, tensors = [], {}
    for name, module in (("vgg", Vgg()), ("resnet", Resnet())):
        module = module.double().eval()
        for key, value in module.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                positive = key.endswith("running_var") or value.dim() == 1 and key.endswith("weight")
                value.copy_(draw(*value.shape).abs() + 0.5 if positive else draw(*value.shape, scale=0.5))
                tensors["%s.w.%s" % (name, key)] = value
        x = draw(3, 2, 8, 8)
        tensors[name + ".x"] = x
        with torch.no_grad():
            logits = module(x)
        for i, z in enumerate(logits):
            tensors["%s.exit%d" % (name, i + 1)] = z
        cases.append({"name": name, "exits": len(logits)})
    store("networks", cases, tensors)


if __name__ == "__main__":
    main()
