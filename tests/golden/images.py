#!/usr/bin/python3
"""Makes the golden image files and what Pillow makes of them, for the engine's tests to agree with.

Run by hand (`/usr/bin/python3 tests/golden/images.py`, Debian's python3-pil and python3-numpy); the files are committed.
images/NAME.EXT are tiny images of every kind that is read. images.safetensors holds, all uint8,
    NAME.EXT.1, NAME.EXT.3      (C,H,W): Pillow's convert("L") and convert("RGB")
    resize.K.in                 (C,H,W): what is resized
    resize.K.bilinear.HxW, resize.K.bicubic.HxW   (C,H,W): what Pillow's resize gives
Interlaced PNG and plain PNM, which Pillow cannot write, are written here. It refuses to test the engine:
that is tests/core/io/image_test.c and resize_test.c.
"""
import json
import os
import struct
import zlib

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "images")
rng = np.random.RandomState(20230128)


def picture(height, width, channels):
    """Smooth waves with an edge and some noise: uint8 (H,W) or (H,W,C)."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        p = 128 + 70 * np.sin(x / (3.1 + c) + c) + 50 * np.cos(y / (2.3 + c)) + 6 * rng.standard_normal((height, width))
        p[height // 2:, width // 3:] += 90 - 60 * c
        planes.append(np.clip(p, 0, 255).astype(np.uint8))
    return planes[0] if channels == 1 else np.stack(planes, -1)


def write(name, data):
    with open(os.path.join(FOLDER, name), "wb") as f:
        f.write(data)


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def interlaced(name, pixels):
    """An Adam7 PNG of (H,W,3), with filter 1 on every row and its data in several chunks."""
    height, width = pixels.shape[:2]
    raw = b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        part = pixels[y::dy, x::dx].astype(np.int32)
        if part.size == 0:
            continue
        for row in part:
            left = np.concatenate([np.zeros((1, 3), np.int32), row[:-1]])
            raw += b"\1" + ((row - left) & 255).astype(np.uint8).tobytes()
    data = zlib.compress(raw, 9)
    body = b"".join(chunk(b"IDAT", data[i:i + 200]) for i in range(0, len(data), 200))
    write(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)) + body
          + chunk(b"IEND", b""))


def plain(name, pixels, maxval):
    magic = "P3" if pixels.ndim == 3 else "P2"
    numbers = (pixels.astype(np.int64) * maxval + 127) // 255
    rows = "\n".join(" ".join(str(v) for v in row.ravel()) for row in numbers)
    write(name, ("%s # a comment\n# another\n%d %d\n%d\n%s\n" % (magic, pixels.shape[1], pixels.shape[0], maxval, rows)).encode())


def make_files():
    rgb, grey = Image.fromarray(picture(23, 31, 3)), Image.fromarray(picture(19, 26, 1))
    def at(name):
        return os.path.join(FOLDER, name)
    rgb.save(at("baseline.jpg"), quality=85)
    rgb.save(at("full.jpg"), quality=92, subsampling=0, optimize=True)
    rgb.save(at("half.jpg"), quality=70, subsampling=1)
    rgb.save(at("progressive.jpg"), quality=85, progressive=True)
    grey.save(at("grey.jpg"), quality=85)
    grey.save(at("grey_progressive.jpg"), quality=60, progressive=True)
    rgb.save(at("rgb.png"))
    grey.save(at("grey.png"))
    alpha = rgb.copy()
    alpha.putalpha(Image.fromarray(picture(23, 31, 1)))
    alpha.save(at("rgba.png"))
    Image.merge("LA", (grey, grey)).save(at("grey_alpha.png"))
    rgb.quantize(200).save(at("palette.png"))
    rgb.quantize(13).save(at("palette4.png"), bits=4, transparency=3)
    grey.convert("1").save(at("bits.png"))
    interlaced("interlaced.png", picture(13, 11, 3))
    rgb.save(at("rgb.ppm"))
    grey.save(at("grey.pgm"))
    write("comment.pgm", b"P5\n#one\n# two\r 5 # three\n\t3\n255\n" + picture(3, 5, 1).tobytes())
    write("maximum.ppm", b"P6 4 3 51 " + (picture(3, 4, 3) // 5).tobytes())
    plain("plain.pgm", picture(4, 6, 1), 255)
    plain("plain.ppm", picture(4, 3, 3), 15)


def planar(image):
    a = np.asarray(image)
    return a[None] if a.ndim == 2 else a.transpose(2, 0, 1)


def store(tensors):
    header, blobs, offset = {}, [], 0
    for key in sorted(tensors):
        value = np.ascontiguousarray(tensors[key], dtype=np.uint8)
        header[key] = {"dtype": "U8", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        blobs.append(value.tobytes())
        offset += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(HERE, "images.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print("%d tensors, %d bytes" % (len(tensors), 8 + len(text) + offset))


def resizes(tensors):
    sources = [picture(28, 28, 1), picture(37, 53, 3), picture(5, 3, 1), picture(1, 1, 3), picture(64, 17, 1),
               (rng.randint(0, 2, (24, 24)) * 255).astype(np.uint8), picture(200, 150, 3)]
    sizes = [[(32, 32), (64, 64), (28, 13), (7, 28)], [(32, 32), (37, 20), (64, 64), (1, 1)], [(9, 8), (2, 2)], [(4, 5)],
             [(63, 18), (3, 50)], [(17, 31), (50, 50)], [(32, 32), (11, 64)]]
    for k, (source, wanted) in enumerate(zip(sources, sizes)):
        image = Image.fromarray(source)
        tensors["resize.%d.in" % k] = planar(image)
        for height, width in wanted:
            for name, method in (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
                tensors["resize.%d.%s.%dx%d" % (k, name, height, width)] = planar(image.resize((width, height), method))


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    make_files()
    tensors = {}
    for name in sorted(os.listdir(FOLDER)):
        image = Image.open(os.path.join(FOLDER, name))
        tensors[name + ".1"], tensors[name + ".3"] = planar(image.convert("L")), planar(image.convert("RGB"))
    resizes(tensors)
    store(tensors)
