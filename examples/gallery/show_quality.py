"""
A photo at four qualities
=========================

`gaussianimage.encode_with_result` returns the file with its PSNR. A higher quality takes more and
finer Gaussians.
"""

import matplotlib.pyplot as plt
from PIL import Image

import gaussianimage

photo = Image.open("../pictures/kodim23.png").crop((20, 20, 404, 308))
figure, axes = plt.subplots(2, 2, figsize=(8, 6.4), layout="constrained")
for axis, quality in zip(axes.flat, (5, 25, 45, 65), strict=True):
    result = gaussianimage.encode_with_result(photo, quality=quality, effort=1)
    axis.imshow(gaussianimage.decode(result.data))
    axis.set_title(f"quality {quality}: {len(result.data) / 1000:.1f} kB, {result.psnr:.1f} dB")
    axis.axis("off")
