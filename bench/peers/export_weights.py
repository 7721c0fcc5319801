#!/usr/bin/env python3
"""Writes a torchvision model's weights as a safetensors file, which `exeunt weights` and ex.weights.load read.

    python3 export_weights.py resnet50 resnet50.safetensors                            its newest pretrained weights
    python3 export_weights.py resnet50 resnet50.safetensors --weights IMAGENET1K_V1    others by their name
    python3 export_weights.py resnet50 resnet50.safetensors --weights mine.pth         a state_dict that torch.save wrote
    python3 export_weights.py resnet50 resnet50.safetensors --random 1                 drawn from a seed

It needs PyTorch and torchvision and nothing else. Names and shapes are torchvision's; float64 becomes float32. A .pth file may
hold the state_dict itself or have it under "state_dict" or "model", with or without "module." before each name; its names are
compared with the model's, its shapes are free (another number of classes, another stem). Errors are one line, exit code 1.

The format: 8 bytes with the header's length (little-endian), the header as JSON padded with spaces, then the numbers of
each tensor, row-major and little-endian; data_offsets count from the header's end.
"""
import argparse
import json
import os
import re
import struct
import sys
import tempfile


class Problem(Exception):
    """What the user is told, in one line."""


def need(module):
    try:
        return __import__(module)
    except ImportError:
        raise Problem(f"the Python module {module} is missing; this script needs PyTorch and torchvision")


# -- The model -------------------------------------------------------------------------------------------------


def maker(torchvision, name):
    make = getattr(torchvision.models, name, None)
    if not callable(make) or not name.islower():
        raise Problem(f"torchvision has no model '{name}'")
    return make


def pretrained(torchvision, name, version):
    """A model with torchvision's own weights, which it may have to download."""
    make = maker(torchvision, name)
    try:
        if hasattr(torchvision.models, "get_weight"):
            return make(weights=version)
        if version != "DEFAULT":
            raise Problem("this torchvision has one set of weights for each model: leave --weights out or name a file")
        return make(pretrained=True)
    except (KeyError, ValueError) as e:
        raise Problem(f"torchvision has no weights '{version}' for {name}: {e}")
    except (OSError, RuntimeError) as e:
        raise Problem(f"cannot get torchvision's weights: {e}; where there is no network, give a file: --weights FILE.pth")


def untrained(torchvision, name):
    make = maker(torchvision, name)
    return make(weights=None) if hasattr(torchvision.models, "get_weight") else make(pretrained=False)


# -- A file of PyTorch's -----------------------------------------------------------------------------------------


def load_pickle(torch, path):
    """What torch.save wrote; nothing but tensors and plain containers is accepted where this PyTorch can tell."""
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except TypeError:       # a PyTorch from before weights_only
            return torch.load(path, map_location="cpu")
    except Exception as e:
        why = " ".join(str(e).split()).split(". ")[0]
        raise Problem(f"cannot read {path} as a state_dict of tensors: {why}")


def state_dict_of(torch, path):
    state = load_pickle(torch, path)
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state or not all(isinstance(k, str) and torch.is_tensor(t) for k, t in state.items()):
        raise Problem(f"{path} holds no state_dict (names with tensors)")
    if all(name.startswith("module.") for name in state):
        state = {name[len("module."):]: t for name, t in state.items()}
    return state


def todays_name(name):
    """torchvision's first DenseNets wrote norm.1 and conv.2 in their layers where it now says norm1 and conv2."""
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.)", r"\1", name)


def some(names):
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def compared(state, model, name, path):
    """The file's state_dict, whose names must be the model's; counters of batches may be absent."""
    state = {todays_name(key): t for key, t in state.items()}
    wanted = model.state_dict()
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    extra = [k for k in state if k not in wanted]
    parts = [f"{len(names)} {what}: {some(names)}" for what, names in (("missing", missing), ("extra", extra)) if names]
    if parts:
        raise Problem(f"{path} is not for {name}: {'; '.join(parts)}")
    return state


# -- Writing -----------------------------------------------------------------------------------------------------


def types(torch):
    return {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
            torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}


def prepared(torch, state):
    """(name, type, dense tensor) of each."""
    known, out = types(torch), []
    for name, t in state.items():
        t = t.detach().to("cpu")
        t = t.float() if t.dtype == torch.float64 else t
        if t.dtype not in known:
            raise Problem(f"{name} is of type {t.dtype}, which cannot be written")
        out.append((name, known[t.dtype], t.contiguous()))
    return out


def header_of(tensors, metadata):
    header, at = {"__metadata__": metadata}, 0
    for name, kind, t in tensors:
        size = t.numel() * t.element_size()
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return text + b" " * (-len(text) % 8)


def write(torch, path, tensors, metadata):
    """Whole or not at all: to a file beside it, which then takes its name."""
    if sys.byteorder != "little":
        raise Problem("this machine's numbers are not little-endian")
    header = header_of(tensors, metadata)
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".export_weights.")
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(struct.pack("<Q", len(header)) + header)
                for _, _, t in tensors:
                    f.write(t.reshape(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b"")
                f.flush()
                os.fsync(f.fileno())
            os.chmod(temporary, 0o666 & ~umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as e:
        raise Problem(f"cannot write {path}: {e.strerror}")


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


# -- The command line --------------------------------------------------------------------------------------------


def arguments():
    p = argparse.ArgumentParser(description="Writes a torchvision model's weights as a safetensors file.")
    p.add_argument("model", help="its name in torchvision.models: resnet50")
    p.add_argument("out", help="the file to write")
    which = p.add_mutually_exclusive_group()
    which.add_argument("--weights", metavar="FILE.pth or NAME", default="DEFAULT",
                       help="a file with a state_dict, or one of torchvision's own sets by name (DEFAULT if not given)")
    which.add_argument("--random", metavar="SEED", type=int, help="no pretrained weights, but torchvision's initial ones")
    return p.parse_args()


def export(args):
    torch, torchvision = need("torch"), need("torchvision")
    if args.random is not None:
        torch.manual_seed(args.random)
        source, state = f"random, seed {args.random}", untrained(torchvision, args.model).state_dict()
    elif re.fullmatch(r"\w+", args.weights) and not os.path.exists(args.weights):
        source, state = args.weights, pretrained(torchvision, args.model, args.weights).state_dict()
    else:
        source, state = os.path.basename(args.weights), state_dict_of(torch, args.weights)
        state = compared(state, untrained(torchvision, args.model), args.model, args.weights)
    tensors = prepared(torch, state)
    write(torch, args.out, tensors, {"model": args.model, "weights": source, "torchvision": torchvision.__version__})
    print(f"{args.out}: {len(tensors)} tensors, {sum(t.numel() for _, _, t in tensors):,} numbers")


if __name__ == "__main__":
    try:
        export(arguments())
    except Problem as problem:
        sys.exit(f"export_weights: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
