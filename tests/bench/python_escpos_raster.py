"""Milliseconds in which python-escpos makes GS v 0 of a 512x1600 JPEG; the file is written first if it is not there."""

import os
import sys
import time

from escpos.printer import Dummy
from PIL import Image

path = sys.argv[1]
if not os.path.exists(path):
    # A logo's gradient above lines of text-like bars on white, as pictures of receipts are.
    picture = Image.new("RGB", (512, 1600), "white")
    dots = picture.load()
    for y in range(1600):
        for x in range(512):
            if y < 300:
                dots[x, y] = ((x * y) % 256, (x + y) % 256, (x ^ y) % 256)
            elif y % 40 < 18 and (x // 7 + y // 40) % 3:
                dots[x, y] = (20, 20, 20)
    picture.save(path, quality=90)
times = []
for _ in range(12):
    printer = Dummy()
    began = time.perf_counter()
    printer.image(path, impl="bitImageRaster")
    assert len(printer.output) > 100_000
    times.append(time.perf_counter() - began)
print(sorted(times)[len(times) // 2] * 1000)
