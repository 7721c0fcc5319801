#!/usr/bin/python3
"""Makes the golden cases: what PyTorch computes, for the engine's tests to agree with.

Run by hand (`/usr/bin/python3 tests/golden/generate.py`, Debian's python3-torch) when a case is added; the files it writes
beside itself are committed, so that the tests need no PyTorch. Every number is computed in float64 from inputs that are
exact in float32, and stored as float32: what a test measures is then the engine's own rounding.

Each file is safetensors. Its __metadata__ has one key, "cases", a JSON list. A case of an operator is
    {"name", "op", "attrs": {...}, "inputs": [names], "batched": [those whose first axis is the batch], "gradients": [names]}
and its tensors are NAME.<input>, NAME.out, NAME.dout and NAME.d<input>. The other files say their form where they are made.
It refuses to test the engine: that is tests/lua/exeunt/golden_*_test.lua.
"""
import json
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.RandomState(20230128)


# -- Files ----------------------------------------------------------------------------------------------------

def store(name, cases, tensors):
    """Writes HERE/name.safetensors: an 8-byte length, a JSON header, the bytes."""
    header, blobs, offset = {"__metadata__": {"cases": json.dumps(cases, separators=(",", ":"))}}, [], 0
    for key in sorted(tensors):
        value = tensors[key]
        value = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        whole = value.dtype.kind in "iu"
        # np.asarray keeps a scalar's shape (), which ascontiguousarray would make (1,)
        value = np.asarray(value, dtype="<i4" if whole else "<f4", order="C")
        header[key] = {"dtype": "I32" if whole else "F32", "shape": list(value.shape),
                       "data_offsets": [offset, offset + value.nbytes]}
        blobs.append(value.tobytes())
        offset += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(HERE, name + ".safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print("%-8s %3d cases %4d tensors %7d bytes" % (name, len(cases), len(tensors), 8 + len(text) + offset))


def draw(*shape, scale=1.0, shift=0.0):
    """Normal numbers that float32 holds exactly, as float64."""
    return torch.from_numpy((rng.standard_normal(shape) * scale + shift).astype(np.float32).astype(np.float64))


class Cases:
    """Collects the operator cases of one file."""

    def __init__(self):
        self.cases, self.tensors = [], {}

    def add(self, name, op, attrs, function, batched, gradients, **inputs):
        """Runs function(**inputs), differentiates sum(out * dout) for a random dout, and keeps all of it."""
        for key in gradients:
            inputs[key].requires_grad_(True)
        out = function(**inputs)
        dout = draw(*out.shape) if out.dim() else torch.tensor(1.75, dtype=torch.float64)
        grads = torch.autograd.grad(out, [inputs[k] for k in gradients], dout) if gradients else []
        self.cases.append({"name": name, "op": op, "attrs": attrs, "inputs": list(inputs), "batched": batched,
                           "gradients": gradients})
        for key, value in list(inputs.items()) + [("out", out), ("dout", dout)] + \
                [("d" + k, g) for k, g in zip(gradients, grads)]:
            self.tensors[name + "." + key] = value


# -- Convolution ----------------------------------------------------------------------------------------------

# name: batch, in, out, (H, W), (kH, kW), stride, padding, dilation, groups, bias
CONV = {
    "plain_3x3":           (2, 4, 6, (7, 7), (3, 3), 1, 0, 1, 1, True),
    "same_3x3":            (2, 5, 7, (8, 8), (3, 3), 1, 1, 1, 1, True),
    "same_3x3_no_bias":    (3, 4, 4, (6, 9), (3, 3), 1, 1, 1, 1, False),
    "one_channel_3x3":     (3, 1, 8, (9, 9), (3, 3), 1, 1, 1, 1, True),
    "one_channel_5x5":     (2, 1, 6, (12, 12), (5, 5), 1, 2, 1, 1, True),
    "three_channels_3x3":  (2, 3, 16, (10, 10), (3, 3), 1, 1, 1, 1, False),
    "stem_7x7_stride_2":   (1, 3, 8, (17, 15), (7, 7), 2, 3, 1, 1, False),
    "to_one_channel":      (2, 6, 1, (5, 5), (3, 3), 1, 1, 1, 1, True),
    "one_to_one":          (1, 1, 1, (3, 3), (3, 3), 1, 1, 1, 1, True),
    "pointwise":           (3, 8, 12, (5, 6), (1, 1), 1, 0, 1, 1, True),
    "pointwise_stride_2":  (2, 8, 16, (7, 7), (1, 1), 2, 0, 1, 1, False),
    "pointwise_padded":    (2, 3, 4, (4, 4), (1, 1), 1, 1, 1, 1, True),
    "whole_image":         (3, 4, 5, (4, 4), (4, 4), 1, 0, 1, 1, True),
    "stride_2_even":       (2, 4, 6, (8, 8), (3, 3), 2, 1, 1, 1, False),
    "stride_2_odd":        (2, 4, 6, (9, 7), (3, 3), 2, 1, 1, 1, True),
    "stride_2_remainder":  (2, 3, 4, (8, 8), (3, 3), 2, 0, 1, 1, True),
    "stride_3_gaps":       (2, 2, 3, (11, 10), (2, 2), 3, 0, 1, 1, True),
    "stride_2_by_1":       (2, 3, 5, (8, 6), (3, 3), (2, 1), (1, 1), 1, 1, True),
    "rectangle_3x1":       (2, 4, 4, (6, 7), (3, 1), 1, (1, 0), 1, 1, True),
    "rectangle_1x5":       (2, 4, 3, (5, 9), (1, 5), 1, (0, 2), 1, 1, False),
    "rectangle_2x4":       (2, 3, 4, (7, 9), (2, 4), (1, 2), (1, 2), 1, 1, True),
    "wide_padding":        (2, 2, 3, (5, 5), (3, 3), 1, 3, 1, 1, True),
    "dilation_2":          (2, 3, 4, (9, 9), (3, 3), 1, 2, 2, 1, True),
    "dilation_2_by_3":     (2, 3, 4, (9, 11), (3, 3), 1, (2, 3), (2, 3), 1, False),
    "dilation_stride":     (2, 3, 4, (11, 11), (3, 3), 2, 2, 2, 1, True),
    "groups_2":            (2, 6, 8, (6, 6), (3, 3), 1, 1, 1, 2, True),
    "groups_3_stride_2":   (2, 6, 9, (7, 7), (3, 3), 2, 1, 1, 3, False),
    "groups_4_pointwise":  (2, 8, 12, (4, 5), (1, 1), 1, 0, 1, 4, True),
    "depthwise":           (2, 10, 10, (7, 7), (3, 3), 1, 1, 1, 10, True),
    "depthwise_stride_2":  (2, 17, 17, (8, 8), (3, 3), 2, 1, 1, 17, False),
    "depthwise_5x5":       (1, 9, 9, (9, 8), (5, 5), 1, 2, 1, 9, True),
    "depthwise_times_2":   (2, 5, 10, (6, 6), (3, 3), 1, 1, 1, 5, True),
    "depthwise_dilated":   (1, 8, 8, (9, 9), (3, 3), 1, 2, 2, 8, False),
    "vectors_16_to_32":    (1, 16, 32, (7, 8), (3, 3), 1, 1, 1, 1, False),
    "vectors_32_to_16":    (1, 32, 16, (6, 6), (3, 3), 1, 1, 1, 1, True),
    "vectors_and_rests":   (2, 9, 37, (5, 7), (3, 3), 1, 1, 1, 1, True),
    "one_pixel":           (4, 6, 7, (1, 1), (3, 3), 1, 1, 1, 1, True),
    "one_image_row":       (1, 5, 6, (1, 19), (3, 3), 1, 1, 1, 1, True),
}


def conv():
    made = Cases()
    for name, (n, i, o, size, kernel, stride, padding, dilation, groups, bias) in CONV.items():
        pair = lambda v: list(v) if isinstance(v, tuple) else [v, v]
        inputs = {"x": draw(n, i, *size), "w": draw(o, i // groups, *kernel, scale=0.5)}
        if bias:
            inputs["b"] = draw(o)
        made.add(name, "conv2d", {"stride": pair(stride), "padding": pair(padding), "dilation": pair(dilation),
                                  "groups": [groups]},
                 lambda x, w, b=None: F.conv2d(x, w, b, stride, padding, dilation, groups), ["x"], list(inputs), **inputs)
    store("conv", made.cases, made.tensors)


# -- Pooling, linear, losses, softmax -------------------------------------------------------------------------

# name: (N, C, H, W), kernel, stride, padding, dilation, ceil_mode, ties
MAX_POOL = {
    "max_2x2":            ((2, 5, 8, 8), (2, 2), (2, 2), (0, 0), (1, 1), 0, False),
    "max_2x2_odd":        ((2, 5, 7, 9), (2, 2), (2, 2), (0, 0), (1, 1), 0, False),
    "max_2x2_ceil":       ((2, 5, 7, 9), (2, 2), (2, 2), (0, 0), (1, 1), 1, False),
    "max_3x3_overlap":    ((2, 4, 9, 9), (3, 3), (2, 2), (1, 1), (1, 1), 0, False),
    "max_3x3_overlap_17": ((1, 17, 7, 7), (3, 3), (1, 1), (1, 1), (1, 1), 0, False),
    "max_3x3_ceil_pad":   ((2, 3, 8, 7), (3, 3), (2, 2), (1, 1), (1, 1), 1, False),
    "max_dilated":        ((2, 3, 9, 9), (2, 2), (1, 1), (0, 0), (2, 2), 0, False),
    "max_dilated_pad":    ((1, 3, 9, 8), (3, 3), (2, 1), (1, 1), (2, 3), 0, False),
    "max_rectangle":      ((2, 3, 6, 8), (2, 3), (2, 1), (0, 1), (1, 1), 0, False),
    "max_ties":           ((2, 4, 8, 8), (2, 2), (2, 2), (0, 0), (1, 1), 0, True),
    "max_ties_overlap":   ((2, 4, 7, 7), (3, 3), (2, 2), (1, 1), (1, 1), 0, True),
}
# name: shape, kernel, stride, padding, ceil_mode, count_include_pad
AVG_POOL = {
    "avg_2x2":            ((2, 5, 8, 8), (2, 2), (2, 2), (0, 0), 0, 1),
    "avg_2x2_odd":        ((2, 5, 7, 9), (2, 2), (2, 2), (0, 0), 0, 1),
    "avg_3x3_pad":        ((2, 4, 7, 7), (3, 3), (2, 2), (1, 1), 0, 1),
    "avg_3x3_pad_inside": ((2, 4, 7, 7), (3, 3), (2, 2), (1, 1), 0, 0),
    "avg_ceil":           ((2, 3, 8, 7), (3, 3), (2, 2), (1, 1), 1, 1),
    "avg_ceil_inside":    ((2, 3, 8, 7), (3, 3), (2, 2), (1, 1), 1, 0),
    "avg_rectangle":      ((2, 17, 5, 6), (1, 3), (1, 2), (0, 1), 0, 1),
}


def pool():
    made = Cases()
    for name, (shape, k, s, p, d, ceil, ties) in MAX_POOL.items():
        x = torch.from_numpy(rng.randint(-1, 2, shape).astype(np.float64)) if ties else draw(*shape)
        made.add(name, "max_pool2d", {"kernel": k, "stride": s, "padding": p, "dilation": d, "ceil_mode": [ceil]},
                 lambda x: F.max_pool2d(x, k, s, p, d, bool(ceil)), ["x"], ["x"], x=x)
    for name, (shape, k, s, p, ceil, inside) in AVG_POOL.items():
        made.add(name, "avg_pool2d", {"kernel": k, "stride": s, "padding": p, "ceil_mode": [ceil],
                                      "count_include_pad": [inside]},
                 lambda x: F.avg_pool2d(x, k, s, p, bool(ceil), bool(inside)), ["x"], ["x"], x=draw(*shape))
    for name, shape in {"global": (3, 5, 7, 7), "global_1x1": (2, 4, 1, 1), "global_33_channels": (2, 33, 3, 5)}.items():
        made.add(name, "global_avg_pool", {}, lambda x: x.mean((2, 3)), ["x"], ["x"], x=draw(*shape))
    store("pool", made.cases, made.tensors)


def dense():
    made = Cases()
    for name, (n, i, o, bias) in {"linear": (5, 7, 4, True), "linear_no_bias": (3, 20, 10, False),
                                  "linear_one_sample": (1, 33, 17, True), "linear_one_class": (6, 9, 1, True)}.items():
        inputs = {"x": draw(n, i), "w": draw(o, i, scale=0.5)}
        if bias:
            inputs["b"] = draw(o)
        made.add(name, "linear", {}, lambda x, w, b=None: F.linear(x, w, b), ["x"], list(inputs), **inputs)
    for name, a, b in (("matmul", (4, 6), (6, 3)), ("matmul_vector", (4, 6), (6,)), ("vector_matmul", (6,), (6, 3)),
                       ("dot", (6,), (6,))):
        made.add(name, "matmul", {}, lambda a, b: torch.matmul(a, b), [], ["a", "b"], a=draw(*a), b=draw(*b))
    # of a softmax that is nearly one-hot the gradient is a difference of nearly equal numbers: no float32 rule has it to 1e-4
    for name, scale, gradients in (("softmax", 1.0, ["x"]), ("softmax_large", 60.0, [])):
        made.add(name, "softmax", {}, lambda x: F.softmax(x, -1), ["x"], gradients, x=draw(5, 10, scale=scale))
        made.add("log_" + name, "log_softmax", {}, lambda x: F.log_softmax(x, -1), ["x"], ["x"], x=draw(5, 10, scale=scale))
    for name, (n, k, scale, weighted) in {"entropy": (8, 10, 1.0, False), "entropy_weighted": (8, 10, 1.0, True),
                                          "entropy_one_sample": (1, 3, 1.0, True), "entropy_large": (6, 10, 80.0, False),
                                          "entropy_many_classes": (4, 100, 2.0, True)}.items():
        inputs = {"z": draw(n, k, scale=scale), "y": torch.from_numpy(rng.randint(0, k, n).astype(np.int32))}
        if weighted:
            inputs["class_weights"] = draw(k).abs() + 0.25
        made.add(name, "softmax_cross_entropy", {},
                 lambda z, y, class_weights=None: F.cross_entropy(z, y.long(), class_weights), ["z", "y"], ["z"], **inputs)
    store("dense", made.cases, made.tensors)


# -- Batch norm -----------------------------------------------------------------------------------------------

def norm():
    """Cases {"name", "eps", "momentum", "steps"}: tensors gamma, beta, mean0, var0 (running, before), and for each training
    step s: x<s>, dout<s>, out<s>, dx<s>, dgamma<s>, dbeta<s>, mean<s>, var<s> (running, after); then in inference form with
    the last running values: x, out, dout, dx, dgamma, dbeta."""
    cases, tensors = [], {}
    # name: shape, eps, momentum, mean of x
    for name, (shape, eps, momentum, shift) in {
            "images": ((4, 5, 6, 6), 1e-5, 0.1, 0.3), "odd_sizes": ((3, 7, 5, 3), 1e-3, 0.01, -1.0),
            "33_channels": ((2, 33, 4, 4), 1e-5, 0.1, 0.0), "far_from_zero": ((4, 3, 7, 7), 1e-5, 0.1, 200.0),
            "features": ((8, 6), 1e-5, 0.3, 0.5), "few_samples": ((4, 9), 1e-5, 0.1, 0.0)}.items():
        c = shape[1]
        keep = lambda key, value: tensors.__setitem__(name + "." + key, value.detach().clone())
        gamma, beta = draw(c).requires_grad_(True), draw(c).requires_grad_(True)
        mean, var = draw(c, shift=shift), draw(c).abs() + 0.5
        for key, value in (("gamma", gamma), ("beta", beta), ("mean0", mean), ("var0", var)):
            keep(key, value)
        for step in ("1", "2", ""):                     # "": the inference form
            x = draw(*shape, scale=1.5, shift=shift).requires_grad_(True)
            dout = draw(*shape)
            out = F.batch_norm(x, mean, var, gamma, beta, step != "", momentum, eps)
            dx, dgamma, dbeta = torch.autograd.grad(out, [x, gamma, beta], dout)
            for key, value in (("x", x), ("dout", dout), ("out", out), ("dx", dx), ("dgamma", dgamma), ("dbeta", dbeta)):
                keep(key + step, value)
            if step:
                keep("mean" + step, mean)
                keep("var" + step, var)
        cases.append({"name": name, "eps": eps, "momentum": momentum, "steps": 2})
    store("norm", cases, tensors)


# -- Optimisers -----------------------------------------------------------------------------------------------

def update():
    """Cases {"name", "optimizer", "options", "steps", "parameters", "clip"?}: tensors p<i>.0 (before), g<i>.<s> (gradient of
    step s, before clipping) and p<i>.<s> (after step s), for parameters i = 1.., steps s = 1..; with "clip" also norm.<s>,
    the norm of all gradients together."""
    cases, tensors = [], {}
    shapes = [(5, 7), (3,), (4, 3, 3, 3)]
    for name, kind, options, clip in (
            ("sgd", "sgd", dict(lr=0.1), None),
            ("sgd_decay", "sgd", dict(lr=0.1, weight_decay=0.05), None),
            ("sgd_momentum", "sgd", dict(lr=0.05, momentum=0.9), None),
            ("sgd_momentum_decay", "sgd", dict(lr=0.05, momentum=0.9, weight_decay=5e-4), None),
            ("sgd_nesterov", "sgd", dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01), None),
            ("adam", "adam", dict(lr=1e-2), None),
            ("adam_decay", "adam", dict(lr=1e-2, betas=[0.8, 0.99], eps=1e-6, weight_decay=0.1), None),
            ("adamw", "adamw", dict(lr=1e-2, weight_decay=0.1), None),
            ("clipped", "sgd", dict(lr=0.1, momentum=0.9), 1.0),
            ("not_clipped", "sgd", dict(lr=0.1), 1000.0)):
        make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
        params = [draw(*s).requires_grad_(True) for s in shapes]
        optimizer = make(params, **options)
        keep = lambda key, value: tensors.__setitem__(name + "." + key, value.detach().clone())
        for i, p in enumerate(params):
            keep("p%d.0" % (i + 1), p)
        for step in range(1, 6):
            for i, p in enumerate(params):
                p.grad = draw(*p.shape)
                keep("g%d.%d" % (i + 1, step), p.grad)
            if clip:
                keep("norm.%d" % step, torch.nn.utils.clip_grad_norm_(params, clip))
            optimizer.step()
            for i, p in enumerate(params):
                keep("p%d.%d" % (i + 1, step), p)
        cases.append({"name": name, "optimizer": kind, "options": options, "steps": 5, "parameters": len(params),
                      **({"clip": clip} if clip else {})})
    store("update", cases, tensors)


# -- A whole training step ------------------------------------------------------------------------------------

class Small(torch.nn.Module):
    """Two exits, a residual block, a strided convolution: fan-out at the block and at the exit."""

    def __init__(self):
        super().__init__()
        N = torch.nn
        self.conv1, self.bn1 = N.Conv2d(1, 8, 3, padding=1, bias=False), N.BatchNorm2d(8)
        self.conv2, self.bn2 = N.Conv2d(8, 8, 3, padding=1, bias=False), N.BatchNorm2d(8)
        self.exit1 = N.Linear(8, 5)
        self.conv3, self.bn3 = N.Conv2d(8, 12, 3, stride=2, padding=1), N.BatchNorm2d(12)
        self.exit2 = N.Linear(12 * 3 * 3, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.relu(x + self.bn2(self.conv2(x)))
        first = self.exit1(x.mean((2, 3)))
        x = F.relu(self.bn3(self.conv3(x)))
        return first, self.exit2(x.flatten(1))


def step():
    """One case {"name", "lr", "momentum", "weight_decay", "weights", "steps", "parameters": [names], "buffers": [names]}:
    tensors x.<s>, y.<s>, loss1.<s>, loss2.<s>, loss.<s>, logits1.<s>, logits2.<s> of step s = 1..; NAME.0 (before) and
    NAME.<s> (after step s) of parameters and buffers, and NAME.grad.<s> of parameters."""
    torch.manual_seed(1)
    net, tensors, weights = Small().double(), {}, [0.625, 0.375]
    for p in net.parameters():
        p.data = p.data.float().double()                # exact in float32
    parameters = [n for n, _ in net.named_parameters()]
    buffers = [n for n, b in net.named_buffers() if b.dim()]
    options = dict(lr=0.05, momentum=0.9, weight_decay=5e-4)
    optimizer = torch.optim.SGD(net.parameters(), **options)
    keep = lambda key, value: tensors.__setitem__(key, value.detach().clone())

    def keep_state(s):
        for n, v in list(net.named_parameters()) + [(n, b) for n, b in net.named_buffers() if b.dim()]:
            keep("%s.%d" % (n, s), v)

    keep_state(0)
    for s in range(1, 4):
        x, y = draw(6, 1, 12, 12), torch.from_numpy(rng.randint(0, 5, 6).astype(np.int32))
        optimizer.zero_grad()
        logits = net(x)
        losses = [F.cross_entropy(z, y.long()) for z in logits]
        loss = sum(w * l for w, l in zip(weights, losses))
        loss.backward()
        for key, value in (("x", x), ("y", y), ("loss1", losses[0]), ("loss2", losses[1]), ("loss", loss),
                           ("logits1", logits[0]), ("logits2", logits[1])):
            keep("%s.%d" % (key, s), value)
        for n, p in net.named_parameters():
            keep("%s.grad.%d" % (n, s), p.grad)
        optimizer.step()
        keep_state(s)
    store("step", [{"name": "small", "weights": weights, "steps": 3, "parameters": parameters, "buffers": buffers,
                    **options}], tensors)


if __name__ == "__main__":
    for make in (conv, pool, dense, norm, update, step):
        make()
