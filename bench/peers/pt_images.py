"""The peers' side of the case decode: torchvision's ImageFolder behind a DataLoader of two workers, all images once a call.
pt_images.py make FOLDER COUNT     writes COUNT JPEG files of 64x64 pixels, in ten class folders, unless they are there
pt_images.py FOLDER                serves"""
import os
import sys

import numpy as np
from PIL import Image


def make(folder, count):
    """Smooth colours with some noise, as photographs have, by a fixed seed."""
    if os.path.exists(f"{folder}/9/{count // 10 - 1}.jpg"):
        return
    random = np.random.RandomState(7)
    for label in range(10):
        os.makedirs(f"{folder}/{label}", exist_ok=True)
        for i in range(count // 10):
            coarse = Image.fromarray(random.randint(0, 256, (6, 6, 3), dtype=np.uint8)).resize((64, 64), Image.BICUBIC)
            pixels = np.asarray(coarse, dtype=np.int16) + random.randint(-12, 13, (64, 64, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(f"{folder}/{label}/{i}.jpg", quality=90)


def main(folder):
    import torch
    from torchvision import datasets, transforms

    from serve import serve
    torch.set_num_threads(1)
    images = datasets.ImageFolder(folder, transforms.PILToTensor())

    def block():
        loader = torch.utils.data.DataLoader(images, batch_size=64, num_workers=2)
        return torch.cat([batch for batch, _ in loader])

    serve(f"ready {len(block())} images", block)


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]))
else:
    main(sys.argv[1])
